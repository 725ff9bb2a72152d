//! Who calls the service, and whom it calls.

use leptos::prelude::*;
use ui_core::service_map::Graph;
use ui_core::service_state::map_url;

use super::ServiceContext;
use crate::pages::map::edge_table;
use crate::parts::states::{FailureLine, Skeleton};

/// Two tables.
#[component]
pub fn Dependencies() -> impl IntoView {
    let context: ServiceContext = expect_context();
    let map = context.map;
    let tables = move || {
        let (Some(graph), Some(run)) = (context.graph.get(), context.run.get()) else { return ().into_any() };
        let name = context.name.get();
        let range = context.state.with(|state| state.range.clone());
        let node = graph.find(&name);
        let (callers, callees) = node.map_or_else(Default::default, |node| (graph.callers(node), graph.callees(node)));
        if callers.is_empty() && callees.is_empty() {
            return view! { <p class="pad muted">"Nobody calls it and it calls nobody, as far as the spans of this range tell."</p> }
                .into_any();
        }
        let graph: &Graph = &graph;
        let link = move |node: &api::MapNode| match node.kind.as_str() {
            "service" => ui_core::service_state::service_url(&node.name, &range),
            _ => map_url(&node.id, &range),
        };
        view! {
            {edge_table(context.session, graph, "Called by", &callers, |edge| edge.source, run.window, &link)}
            {edge_table(context.session, graph, "Calls", &callees, |edge| edge.target, run.window, &link)}
        }
        .into_any()
    };
    view! {
        {move || map.error.get().map(|error| view! { <FailureLine error/> })}
        {move || map.is_first_load().then(|| view! { <Skeleton label="Loading dependencies"/> })}
        {tables}
    }
}
