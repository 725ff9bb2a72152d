//! The node looked at: its figures, who calls it, whom it calls, and the ways from here.

use std::sync::Arc;

use api::MapNode;
use leptos::prelude::*;
use ui_core::red;
use ui_core::service_map::{Graph, kind_words};
use ui_core::service_state::{MapState, logs_url, service_url, traces_url};
use ui_core::state::UrlState;

use super::{MapContext, edge_table, node_tag};
use crate::parts::icons::{self, icon};
use crate::parts::red::{rate_words, share_words};

/// The graph and the node that the URL names, where it is on the map.
pub fn node(context: MapContext) -> Option<(Arc<Graph>, usize)> {
    let graph = context.known()?;
    let node = context.state.with(|state| graph.find(&state.focus))?;
    Some((graph, node))
}

/// The panel.
#[component]
pub fn Panel() -> impl IntoView {
    let context: MapContext = expect_context();
    view! {
        <aside class="panel" aria-label="Node" data-testid="map-panel">
            {move || node(context).map(|(graph, node)| content(context, &graph, node))}
        </aside>
    }
}

fn content(context: MapContext, graph: &Graph, index: usize) -> impl IntoView + use<> {
    let node: &MapNode = &graph.nodes[index];
    let window = context.window();
    let state = context.state.get_untracked();
    let red = &node.red;
    let fact = |title: &'static str, value: String, class: &'static str| {
        view! { <div class="fact"><span class="label">{title}</span><b class=class>{value}</b></div> }
    };
    let errors_class = if red::is_trouble(red::share(red)) { "error-text" } else { "" };
    let link = move |node: &MapNode| MapState { focus: node.id.clone(), ..state.clone() }.url();
    let is_service = node.kind == "service";
    let ways = is_service.then(|| {
        let range = context.state.with_untracked(|state| state.range.clone());
        view! {
            <div class="line pad ways">
                <a class="button primary" href=service_url(&node.name, &range) data-testid="map-open-service">"Open service"</a>
                <a class="button" href=traces_url(&node.name, "", false, &range)>"Traces"</a>
                <a class="button" href=logs_url(&node.name, &range)>"Logs"</a>
            </div>
        }
    });
    let source = match is_service {
        true => "As its own spans tell.",
        false => "It sends no telemetry of its own: as the spans of its callers tell.",
    };
    view! {
        <div class="panel-head">
            {node_tag(context.session, node)}<h2 class="cut" title=node.name.clone()>{node.name.clone()}</h2>
            <span class="badge">{kind_words(&node.kind)}</span><span class="gap"></span>
            <button type="button" class="button quiet icon-only" aria-label="Close" title="Close (Esc)"
                on:click=move |_| context.go(false, |state| state.focus = String::new())>{icon(icons::CLOSE)}</button>
        </div>
        <div class="panel-body" tabindex="0">
            <div class="facts small-facts">
                {fact("Calls", rate_words(red, window), "")}
                {fact("Errors", share_words(red), errors_class)}
                {fact("p50", red::nano_words(red.p50_nano), "")}
                {fact("p95", red::nano_words(red.p95_nano), "")}
                {fact("p99", red::nano_words(red.p99_nano), "")}
            </div>
            <p class="faint small map-source">{source}</p>
            {ways}
            {edge_table(context.session, graph, "Called by", &graph.callers(index), |edge| edge.source, window, &link)}
            {edge_table(context.session, graph, "Calls", &graph.callees(index), |edge| edge.target, window, &link)}
        </div>
    }
}
