//! The map: who calls whom, as a drawing or as a list, with one node looked at beside it.

mod drawing;
mod list;
mod node;
mod panel;

use std::sync::Arc;

use api::{MapNode, ServiceMapAnswer};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use ui_core::range::{RangeText, Window};
use ui_core::service_map::{DRAWN_NODES_MAX, Edge, Graph};
use ui_core::service_state::MapState;
use ui_core::state::UrlState;
use ui_core::{format, red, requests};

use crate::fetch;
use crate::pages::service::graph_of;
use crate::parts::nothing_sent::NothingSent;
use crate::parts::red::{rate_words, share_class, share_words};
use crate::parts::states::{Failure, FailureLine, Skeleton, stats_words};
use crate::query::{Query, use_query_latest};
use crate::run::{Run, use_run};
use crate::session::{Navigator, Session};
use crate::shortcuts::Shortcuts;

/// What the parts of the page share; handles, cheap to copy.
#[derive(Clone, Copy)]
struct MapContext {
    session: Session,
    navigator: Navigator,
    search: Memo<String>,
    state: Memo<MapState>,
    run: RwSignal<Option<Run<RangeText>>>,
    answer: Query<ServiceMapAnswer>,
    graph: Memo<Option<Arc<Graph>>>,
    /// Whether the list is shown.
    is_list: Memo<bool>,
}

impl MapContext {
    fn go(self, replace: bool, change: impl FnOnce(&mut MapState)) {
        let mut state = self.state.get_untracked();
        change(&mut state);
        if state == self.state.get_untracked() {
            return;
        }
        let url = state.url_over(&self.search.get_untracked());
        self.navigator.go(&url, replace);
    }

    /// Looks at a node, or at none where it is the one looked at already.
    fn toggle(self, id: &str) {
        self.go(false, |state| state.focus = if state.focus == id { String::new() } else { id.to_owned() });
    }

    /// The graph, its services with their colours before any of them is drawn, so that their order does not matter.
    fn known(self) -> Option<Arc<Graph>> {
        let graph = self.graph.get()?;
        let services = graph.nodes.iter().filter(|node| node.kind == "service");
        self.session.assign_slots(services.map(|node| node.name.as_str()));
        Some(graph)
    }

    fn window(self) -> Window {
        self.run.with_untracked(|run| run.as_ref().map_or_else(Window::default, |run| run.window))
    }
}

/// The page.
#[component]
pub fn MapPage() -> impl IntoView {
    let session = Session::get();
    session.title.set("Services".to_owned());
    // The heading is that of the table, so that the switch beside it stays where it is; the tab says which it is.
    Effect::new(move |_| {
        session.title.track();
        document().set_title("Service map – Spyhop");
    });
    let search = use_location().search;
    let state = Memo::new(move |_| search.with(|search| MapState::parse(search)));
    let run = use_run(move || {
        let range = state.with(|state| state.range.clone());
        let asked = MapState { range: range.clone(), ..MapState::default() };
        (range.clone(), range, asked.url())
    });
    let answer = use_query_latest::<ServiceMapAnswer>(
        move || run.get().map(|run| run.ask(requests::service_map(run.window, ""))),
        fetch::decode,
    );
    let graph = graph_of(answer);
    let is_large =
        Memo::new(move |_| graph.with(|graph| graph.as_ref().is_some_and(|g| g.nodes.len() > DRAWN_NODES_MAX)));
    // What is too large to draw is drawn around one node, once that is asked for.
    let is_list =
        Memo::new(move |_| state.with(|state| state.as_list.unwrap_or(is_large.get() && state.focus.is_empty())));
    let context = MapContext { session, navigator: Navigator::get(), search, state, run, answer, graph, is_list };
    provide_context(context);
    Shortcuts::add(move |key| {
        let closes = key == "Escape" && context.state.with_untracked(|state| !state.focus.is_empty());
        if closes {
            context.go(false, |state| state.focus = String::new());
        }
        closes
    });
    let with_panel = Memo::new(move |_| panel::node(context).is_some());
    view! {
        <div class="map-page" class:with-panel=move || with_panel.get()>
            <div class="map-main">{move || body(context, is_large)}</div>
            <Show when=move || with_panel.get()><panel::Panel/></Show>
        </div>
    }
}

fn body(context: MapContext, is_large: Memo<bool>) -> AnyView {
    let answer = context.answer;
    let is_empty =
        Memo::new(move |_| context.graph.with(|graph| graph.as_ref().is_none_or(|graph| graph.nodes.is_empty())));
    match (is_empty.get(), answer.error.get(), answer.is_first_load()) {
        (true, Some(error), _) => view! { <Failure error/> }.into_any(),
        (true, None, true) => view! { <Skeleton label="Loading the map"/> }.into_any(),
        (true, None, false) => {
            let go = Callback::new(move |range| context.go(false, |state| state.range = range));
            view! { <NothingSent go/> }.into_any()
        }
        (false, error, _) => view! {
            {error.map(|error| view! { <FailureLine error/> })}
            <Toolbar is_large/>
            {move || match context.is_list.get() {
                true => view! { <list::List/> }.into_any(),
                false => view! { <drawing::Drawing/> }.into_any(),
            }}
        }
        .into_any(),
    }
}

/// Drawing or list, and what is on the map.
#[component]
fn Toolbar(is_large: Memo<bool>) -> impl IntoView {
    let context: MapContext = expect_context();
    let choose = move |list: bool| {
        context.go(false, |state| {
            let default = is_large.get_untracked() && state.focus.is_empty();
            state.as_list = (list != default).then_some(list);
        });
    };
    let button = move |list: bool, title: &'static str, testid: &'static str| {
        let on = move || context.is_list.get() == list;
        view! { <button type="button" class="button" class:on=on aria-pressed=move || on().to_string() data-testid=testid
        on:click=move |_| choose(list)>{title}</button> }
    };
    let words = move || context.graph.with(|graph| graph.as_ref().map(|graph| graph_words(graph)));
    let cost = move || {
        context
            .answer
            .data
            .with(|answer| answer.as_ref().map(|answer| stats_words(&answer.stats, &answer.completeness)))
    };
    let note = move || {
        (is_large.get() && context.is_list.get())
            .then_some("Too many to draw at once: choose one to see it with its neighbours.")
    };
    view! {
        <div class="toolbar map-toolbar">
            {button(false, "Drawing", "map-drawing")}{button(true, "List", "map-list")}
            <span class="muted small">{words}</span><span class="muted small">{note}</span>
            <span class="faint small cut" data-testid="stats">{cost}</span>
            <span class="gap"></span>
            <Show when=move || !context.is_list.get()>
                <span class="faint small cut hint-keys">{LEGEND}</span>
            </Show>
        </div>
    }
}

/// What the drawing's signs mean.
const LEGEND: &str = "Thicker: more calls. Red: more than 1 % of them fail. Bar: failed calls.";

/// What is on the map: `6 services · 2 databases · 9 connections`.
fn graph_words(graph: &Graph) -> String {
    let count = |kind: &str| graph.nodes.iter().filter(|node| node.kind == kind).count() as u64;
    let mut words = vec![format::counted(count("service"), "service")];
    words.extend(
        [("database", "database"), ("queue", "queue"), ("external", "outside service")].into_iter().filter_map(
            |(kind, noun)| Some(count(kind)).filter(|number| *number > 0).map(|number| format::counted(number, noun)),
        ),
    );
    words.push(format::counted(graph.edges.len() as u64, "connection"));
    words.join(" · ")
}

/// A node's sign and name: a service's dot, or another shape for what sends no telemetry of its own.
pub fn node_tag(session: Session, node: &MapNode) -> impl IntoView + use<> {
    let sign = match node.kind.as_str() {
        "service" => format!("dot slot-{}", session.slot(&node.name)),
        kind => format!("sign sign-{}", ui_core::service_map::kind_words(kind)),
    };
    view! { <i class=sign aria-hidden="true"></i> }
}

/// Edges of one side of a node as a table; `other` is the node each row names, `link` where its name leads.
pub fn edge_table(
    session: Session,
    graph: &Graph,
    title: &'static str,
    edges: &[&Edge],
    other: fn(&Edge) -> usize,
    window: Window,
    link: &dyn Fn(&MapNode) -> String,
) -> Option<impl IntoView + use<>> {
    let rows: Vec<_> = edges
        .iter()
        .filter_map(|edge| {
            let node = graph.nodes.get(other(edge))?;
            let kind = if node.kind == "service" { "" } else { ui_core::service_map::kind_words(&node.kind) };
            Some(view! {
                <tr data-testid="edge-row">
                    <td class="cell-name"><span class="line">{node_tag(session, node)}
                        <a class="row-link cut" href=link(node) title=node.name.clone()>{node.name.clone()}</a>
                        <span class="faint small">{kind}</span></span></td>
                    <td class="number">{rate_words(&edge.red, window)}</td>
                    <td class=share_class(red::share(&edge.red))>{share_words(&edge.red)}</td>
                    <td class="number muted wide">{red::nano_words(edge.red.p50_nano)}</td>
                    <td class="number">{red::nano_words(edge.red.p99_nano)}</td>
                </tr>
            })
        })
        .collect();
    (!rows.is_empty()).then(|| {
        view! {
            <table class="table edges">
                <caption class="label">{title}</caption>
                <thead><tr><th scope="col">"Name"</th><th scope="col" class="number">"Calls"</th>
                    <th scope="col" class="number">"Errors"</th><th scope="col" class="number wide">"p50"</th>
                    <th scope="col" class="number">"p99"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        }
    })
}

/// The part of the graph that is drawn: all of it, or a node and its neighbours where all is too much.
fn drawn(context: MapContext) -> Option<Arc<Graph>> {
    let graph = context.known()?;
    if graph.nodes.len() <= DRAWN_NODES_MAX {
        return Some(graph);
    }
    let focus = context.state.with(|state| graph.find(&state.focus));
    let kept = match focus {
        Some(node) => graph.near(node),
        // Asked to draw everything: the busiest, then.
        None => graph.by_calls().into_iter().take(DRAWN_NODES_MAX).collect(),
    };
    Some(Arc::new(graph.part(&kept)))
}
