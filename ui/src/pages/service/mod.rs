//! One service: its figures, its calls over time, and behind tabs its operations, errors, instances and dependencies.

mod charts;
mod dependencies;
mod errors;
mod instances;
mod operations;

use std::sync::Arc;

use api::{OperationsAnswer, ServiceAnswer, ServiceMapAnswer};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};
use ui_core::range::RangeText;
use ui_core::service_map::Graph;
use ui_core::service_state::{ServiceState, logs_url, map_url, service_url, traces_url};
use ui_core::state::UrlState;
use ui_core::{format, red, requests};

use crate::fetch;
use crate::parts::nothing_sent::newest_elsewhere;
use crate::parts::panel::{Tab, tabs};
use crate::parts::red::{rate_words, share_words};
use crate::parts::states::{Failure, FailureLine, Skeleton, stats_words};
use crate::query::{Query, use_query_latest};
use crate::run::{Run, use_run};
use crate::session::{self, Navigator, Session};
use crate::shortcuts::Shortcuts;

/// Steps of the charts.
const STEPS: usize = 90;
/// Steps of the sparklines of operations.
const SPARK_STEPS: usize = 61;

/// What a run asks about.
type Asked = (String, RangeText);

/// What the parts of the page share; handles, cheap to copy.
#[derive(Clone, Copy)]
struct ServiceContext {
    session: Session,
    navigator: Navigator,
    search: Memo<String>,
    name: Memo<String>,
    state: Memo<ServiceState>,
    run: RwSignal<Option<Run<Asked>>>,
    service: Query<ServiceAnswer>,
    operations: Query<OperationsAnswer>,
    map: Query<ServiceMapAnswer>,
    graph: Memo<Option<Arc<Graph>>>,
}

impl ServiceContext {
    fn go(self, replace: bool, change: impl FnOnce(&mut ServiceState)) {
        let mut state = self.state.get_untracked();
        change(&mut state);
        let url = state.url_of(&self.name.get_untracked(), &self.search.get_untracked());
        self.navigator.go(&url, replace);
    }

    fn range(self) -> RangeText {
        self.state.with_untracked(|state| state.range.clone())
    }
}

/// The page.
#[component]
pub fn ServicePage() -> impl IntoView {
    let session = Session::get();
    let search = use_location().search;
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("name").unwrap_or_default()));
    Effect::new(move |_| session.title.set(name.get()));
    let state = Memo::new(move |_| search.with(|search| ServiceState::parse(search)));
    let run = use_run(move || {
        let (name, range) = (name.get(), state.with(|state| state.range.clone()));
        let url = service_url(&name, &range);
        ((name, range.clone()), range, url)
    });
    let ask = move |url: fn(&Run<Asked>) -> String| move || run.get().map(|run| run.ask(url(&run)));
    let service =
        use_query_latest::<ServiceAnswer>(ask(|run| requests::service(&run.state.0, run.window, STEPS)), fetch::decode);
    let operations = use_query_latest::<OperationsAnswer>(
        ask(|run| requests::operations(&run.state.0, run.window, SPARK_STEPS)),
        fetch::decode,
    );
    let map =
        use_query_latest::<ServiceMapAnswer>(ask(|run| requests::service_map(run.window, &run.state.0)), fetch::decode);
    let graph = graph_of(map);
    let context = ServiceContext {
        session,
        navigator: Navigator::get(),
        search,
        name,
        state,
        run,
        service,
        operations,
        map,
        graph,
    };
    provide_context(context);
    // Another service's data is no older state of this one's.
    Effect::new(move |earlier: Option<String>| {
        let name = name.get();
        if earlier.is_some_and(|earlier| earlier != name) {
            service.data.set(None);
            operations.data.set(None);
            map.data.set(None);
        }
        name
    });
    keys();
    view! { <div class="service-page scroll" tabindex="-1">{move || body(context)}</div> }
}

/// The graph of an answer.
pub fn graph_of(map: Query<ServiceMapAnswer>) -> Memo<Option<Arc<Graph>>> {
    Memo::new(move |_| map.data.with(|answer| answer.as_ref().map(|answer| Arc::new(Graph::of(answer)))))
}

/// Rows are links; `j` and `k` go from one to the next.
fn keys() {
    Shortcuts::add(move |key| match key {
        "j" | "ArrowDown" => focus_row(1),
        "k" | "ArrowUp" => focus_row(-1),
        _ => false,
    });
}

/// Gives the focus to the link of the row so many after the one that has it.
fn focus_row(by: i64) -> bool {
    use wasm_bindgen::JsCast;
    let Ok(links) = document().query_selector_all(".service-page [role=tabpanel] .row-link") else { return false };
    let focused = document().active_element();
    let links: Vec<web_sys::HtmlElement> =
        (0..links.length()).filter_map(|index| links.item(index)?.dyn_into().ok()).collect();
    let at = links.iter().position(|link| focused.as_ref().is_some_and(|focused| link.is_same_node(Some(focused))));
    let next = ui_core::window::step(at, by, links.len());
    next.and_then(|next| links.get(next)).is_some_and(|link| link.focus().is_ok())
}

fn body(context: ServiceContext) -> AnyView {
    let service = context.service;
    let state = Memo::new(move |_| service.data.with(|answer| answer.as_ref().map(|answer| is_silent(answer))));
    let has_calls =
        Memo::new(move |_| service.data.with(|answer| answer.as_ref().is_some_and(|answer| answer.red.calls > 0)));
    match (state.get(), service.error.get(), service.is_first_load()) {
        (None, Some(error), _) if error.status == 404 => view! { <Silent/> }.into_any(),
        (None, Some(error), _) => view! { <Failure error/> }.into_any(),
        (None, None, true) => view! { <Skeleton label="Loading the service"/> }.into_any(),
        (None, None, false) => ().into_any(),
        (Some(true), ..) => view! { <Silent/> }.into_any(),
        (Some(false), error, _) => view! {
            {error.map(|error| view! { <FailureLine error/> })}
            {move || service.data.get().map(|answer| header(context, &answer))}
            {move || has_calls.get().then(|| view! { <charts::Charts/> })}
            <Tabs/>
        }
        .into_any(),
    }
}

/// Whether the service sent nothing in the range.
fn is_silent(answer: &ServiceAnswer) -> bool {
    answer.red.calls == 0 && answer.instances.is_empty() && answer.latest_errors.is_empty()
}

/// A service that sent nothing in the range, or is not known at all.
#[component]
fn Silent() -> impl IntoView {
    let context: ServiceContext = expect_context();
    let go = Callback::new(move |range| context.go(false, |state| state.range = range));
    move || match context.service.data.with(|answer| answer.as_ref().map(|answer| answer.last_seen_unix_nano.0)) {
        Some(newest) => {
            let title = format!("{} sent nothing in this range", context.name.get());
            view! { <div class="state" data-testid="empty">{newest_elsewhere(context.session, title, newest, go)}</div> }
                .into_any()
        }
        None => view! {
            <div class="state" data-testid="unknown-service">
                <h2>{format!("No service is called {}", context.name.get())}</h2>
                <p>"It has sent nothing that is still kept. The name may be mistyped, or its records are gone."</p>
                <a class="button primary" href="/services">"All services"</a>
            </div>
        }
        .into_any(),
    }
}

fn header(context: ServiceContext, answer: &ServiceAnswer) -> impl IntoView + use<> {
    let Some(run) = context.run.get_untracked() else { return ().into_any() };
    let (name, range) = (context.name.get_untracked(), context.range());
    let slot = context.session.slot(&name);
    let red = &answer.red;
    let share = red::share(red);
    let seen = answer.last_seen_unix_nano.0;
    let offset = context.session.offset_minutes(seen);
    let fact = |title: &'static str, value: String, class: &'static str| {
        view! { <div class="fact"><span class="label">{title}</span><b class=class>{value}</b></div> }
    };
    let errors_class = if red::is_trouble(share) { "error-text" } else { "" };
    view! {
        <div class="facts" data-testid="service-header">
            <div class="fact root"><span class="label">"Service"</span>
                <b class="service"><i class=format!("dot slot-{slot}") aria-hidden="true"></i><span class="cut">{name.clone()}</span></b></div>
            {fact("Calls", rate_words(red, run.window), "")}
            {fact("Errors", share_words(red), errors_class)}
            {fact("p50", red::nano_words(red.p50_nano), "")}
            {fact("p95", red::nano_words(red.p95_nano), "")}
            {fact("p99", red::nano_words(red.p99_nano), "")}
            <div class="fact" title=format!("{} {}", format::exact(seen, offset), format::zone(offset))>
                <span class="label">"Last seen"</span><b>{format::ago(seen, session::now())}</b></div>
            <span class="gap"></span>
            <span class="faint facts-stats">{stats_words(&answer.stats, &answer.completeness)}</span>
            <nav class="line" aria-label="Of this service">
                <a class="button" data-testid="service-traces" href=traces_url(&name, "", false, &range)>"Traces"</a>
                <a class="button" data-testid="service-logs" href=logs_url(&name, &range)>"Logs"</a>
                <a class="button" data-testid="service-map" href=map_url(&name, &range)>"Map"</a>
            </nav>
        </div>
    }
    .into_any()
}

/// The tabs; each says how much is in it before it is opened.
#[component]
fn Tabs() -> impl IntoView {
    let context: ServiceContext = expect_context();
    let chosen = Memo::new(move |_| context.state.with(|state| state.tab.clone()));
    let choose = Callback::new(move |tab: String| context.go(false, |state| state.tab = tab));
    let counts = Memo::new(move |_| {
        let operations = context.operations.data.with(|answer| answer.as_ref().map_or(0, |a| a.operations.len()));
        let (errors, instances) = context
            .service
            .data
            .with(|answer| answer.as_ref().map_or((0, 0), |a| (a.latest_errors.len(), a.instances.len())));
        let edges = context.name.with(|name| {
            context.graph.with(|graph| {
                let graph = graph.as_ref()?;
                let node = graph.find(name)?;
                Some(graph.callers(node).len() + graph.callees(node).len())
            })
        });
        [operations, errors, instances, edges.unwrap_or(0)]
    });
    let bar = move || {
        let [operations, errors, instances, edges] = counts.get();
        let counted = |name: &'static str, title: &str, count: usize| {
            let title = if count == 0 { title.to_owned() } else { format!("{title} {count}") };
            Tab { name, title, enabled: true }
        };
        tabs(
            vec![
                counted("", "Operations", operations),
                counted("errors", "Errors", errors),
                counted("instances", "Instances", instances),
                counted("dependencies", "Dependencies", edges),
            ],
            chosen.into(),
            choose,
        )
    };
    view! {
        {bar}
        <div class="service-tab" role="tabpanel" aria-label="About the service">
            {move || match chosen.get().as_str() {
                "errors" => view! { <errors::Errors/> }.into_any(),
                "instances" => view! { <instances::Instances/> }.into_any(),
                "dependencies" => view! { <dependencies::Dependencies/> }.into_any(),
                _ => view! { <operations::Operations/> }.into_any(),
            }}
        </div>
    }
}
