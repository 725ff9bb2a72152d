//! The map as a list: for many nodes, and for whoever does not see the drawing.

use leptos::html::Input;
use leptos::prelude::*;
use ui_core::service_map::{Graph, kind_words};
use ui_core::service_state::MapState;
use ui_core::sort;
use ui_core::state::UrlState;
use ui_core::{format, red};

use super::{MapContext, node_tag};
use crate::parts::red::{rate_words, share_class, share_words};
use crate::shortcuts::focus_on_slash;

/// Rows built; the filter finds the others.
const ROWS_MAX: usize = 300;
/// Names of neighbours printed in a row.
const NEIGHBOURS_MAX: usize = 6;

/// The list.
#[component]
pub fn List() -> impl IntoView {
    let context: MapContext = expect_context();
    let typed = RwSignal::new(String::new());
    let input = NodeRef::<Input>::new();
    focus_on_slash(input);
    let rows = move || {
        let graph = context.known()?;
        let mut shown = graph.by_calls();
        shown.retain(|node| typed.with(|typed| sort::matches(&graph.nodes[*node].name, typed)));
        let more = shown.len().saturating_sub(ROWS_MAX);
        let rows = shown.into_iter().take(ROWS_MAX).map(|node| row(context, &graph, node)).collect_view();
        let note = (more > 0).then(|| format!("{} more: the filter finds them.", format::count(more as u64)));
        Some(view! { {rows}{note.map(|note| view! { <tr><td class="faint" colspan="7">{note}</td></tr> })} })
    };
    view! {
        <div class="map-list scroll" tabindex="-1">
            <div class="tab-toolbar"><input class="input" type="search" node_ref=input placeholder="Filter by name"
                aria-label="Filter the map by name" autocomplete="off" spellcheck="false" prop:value=typed
                on:input=move |event| typed.set(event_target_value(&event))/></div>
            <table class="table" data-testid="map-table">
                <thead><tr><th scope="col">"Name"</th><th scope="col" class="number">"Calls"</th>
                    <th scope="col" class="number">"Errors"</th><th scope="col" class="number wide">"p50"</th>
                    <th scope="col" class="number">"p99"</th><th scope="col">"Called by"</th><th scope="col">"Calls"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

fn row(context: MapContext, graph: &Graph, index: usize) -> impl IntoView + use<> {
    let node = &graph.nodes[index];
    let href =
        move |id: &str| context.state.with_untracked(|state| MapState { focus: id.to_owned(), ..state.clone() }.url());
    let names = |nodes: Vec<usize>| {
        let mut names: Vec<&str> =
            nodes.iter().take(NEIGHBOURS_MAX).map(|node| graph.nodes[*node].name.as_str()).collect();
        let more = format!("and {} more", nodes.len().saturating_sub(NEIGHBOURS_MAX));
        if nodes.len() > NEIGHBOURS_MAX {
            names.push(&more);
        }
        names.join(", ")
    };
    let callers = names(graph.callers(index).iter().map(|edge| edge.source).collect());
    let callees = names(graph.callees(index).iter().map(|edge| edge.target).collect());
    let kind = if node.kind == "service" { "" } else { kind_words(&node.kind) };
    let id = node.id.clone();
    let selected = move || context.state.with(|state| state.focus == id);
    let red = &node.red;
    view! {
        <tr class:selected=selected data-testid="map-row">
            <td class="cell-name"><span class="line">{node_tag(context.session, node)}
                <a class="row-link cut" href=href(&node.id) title=node.name.clone()>{node.name.clone()}</a>
                <span class="faint small">{kind}</span></span></td>
            <td class="number">{rate_words(red, context.window())}</td>
            <td class=share_class(red::share(red))>{share_words(red)}</td>
            <td class="number muted wide">{red::nano_words(red.p50_nano)}</td>
            <td class="number">{red::nano_words(red.p99_nano)}</td>
            <td class="muted cell-neighbours">{callers}</td>
            <td class="muted cell-neighbours">{callees}</td>
        </tr>
    }
}
