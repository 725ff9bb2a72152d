//! Services: four cards about all of them, and a table with a row for each.

mod cards;
mod table;

use std::sync::Arc;

use api::ServicesAnswer;
use leptos::html::Input;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use ui_core::order;
use ui_core::range::RangeText;
use ui_core::requests;
use ui_core::service_state::{ServicesState, service_url, trace_url};
use ui_core::sort::{self, Keys};
use ui_core::state::UrlState;

use crate::fetch;
use crate::parts::icons::{self, icon};
use crate::parts::list::Scroll;
use crate::parts::nothing_sent::NothingSent;
use crate::parts::states::{Failure, FailureLine, Skeleton, stats_words};
use crate::query::{Query, use_query_latest};
use crate::run::{Run, use_run};
use crate::session::{Navigator, Session};
use crate::shortcuts::{Shortcuts, focus_on_slash};

/// Height of a row in pixels; the style sheet's `.service-row` says the same.
const ROW_HEIGHT: f64 = 36.0;
/// Steps asked for: a minute each in the range a page begins with, which seldom begins with a minute.
const STEPS: usize = 61;

/// What the parts of the page share; handles, cheap to copy.
#[derive(Clone, Copy)]
struct ServicesContext {
    session: Session,
    navigator: Navigator,
    search: Memo<String>,
    state: Memo<ServicesState>,
    run: RwSignal<Option<Run<RangeText>>>,
    answer: Query<ServicesAnswer>,
    /// Indices of the services shown, in the order they are shown in.
    rows: Memo<Arc<Vec<usize>>>,
    cursor: RwSignal<Option<usize>>,
    scroll: Scroll,
}

impl ServicesContext {
    fn go(self, replace: bool, change: impl FnOnce(&mut ServicesState)) {
        let mut state = self.state.get_untracked();
        change(&mut state);
        let url = state.url_over(&self.search.get_untracked());
        self.navigator.go(&url, replace);
    }

    fn step(self, by: i64) {
        let rows = self.rows.with_untracked(|rows| rows.len());
        if let Some(row) = ui_core::window::step(self.cursor.get_untracked(), by, rows) {
            self.cursor.set(Some(row));
            self.scroll.show(row);
        }
    }

    /// The URL a row leads to, made of the service at the cursor.
    fn follow(self, url: impl FnOnce(&api::ServiceSummary) -> Option<String>) -> bool {
        let service =
            self.cursor.get_untracked().and_then(|row| self.rows.with_untracked(|rows| rows.get(row).copied()));
        let target = self.answer.data.with_untracked(|answer| url(answer.as_ref()?.services.get(service?)?));
        if let Some(target) = &target {
            self.navigator.push(target);
        }
        target.is_some()
    }
}

/// The page.
#[component]
pub fn ServicesPage() -> impl IntoView {
    let session = Session::get();
    session.title.set("Services".to_owned());
    let search = use_location().search;
    let state = Memo::new(move |_| search.with(|search| ServicesState::parse(search)));
    let run = use_run(move || {
        let range = state.with(|state| state.range.clone());
        let asked = ServicesState { range: range.clone(), ..ServicesState::default() };
        (range.clone(), range, asked.url())
    });
    let answer = use_query_latest::<ServicesAnswer>(
        move || run.get().map(|run| run.ask(requests::services_over_time(run.window, STEPS))),
        fetch::decode,
    );
    let rows = Memo::new(move |_| {
        let (filter, sort) = state.with(|state| (state.filter.clone(), state.sort));
        // Before any row asks for its colour, so that their order does not matter.
        answer.data.with(|answer| {
            let services = answer.iter().flat_map(|answer| &answer.services);
            session.assign_slots(services.map(|service| service.name.as_str()));
        });
        Arc::new(
            answer.data.with(|answer| answer.as_ref().map_or_else(Vec::new, |answer| sorted(answer, &filter, sort))),
        )
    });
    let context = ServicesContext {
        session,
        navigator: Navigator::get(),
        search,
        state,
        run,
        answer,
        rows,
        cursor: RwSignal::new(None),
        scroll: Scroll::new(ROW_HEIGHT),
    };
    provide_context(context);
    Effect::new(move |_| {
        rows.track();
        context.cursor.set(None);
    });
    keys(context);
    view! { <div class="services-page">{move || body(context)}</div> }
}

/// Indices of the services whose name holds the filter, sorted.
fn sorted(answer: &ServicesAnswer, filter: &str, sort: sort::Sort) -> Vec<usize> {
    let services = &answer.services;
    let mut rows: Vec<usize> =
        (0..services.len()).filter(|index| sort::matches(&services[*index].name, filter)).collect();
    let keys = |index: usize| {
        let service = &services[index];
        Keys {
            name: &service.name,
            red: &service.red,
            instance_count: service.instance_count,
            last_seen: service.last_seen_unix_nano.0,
        }
    };
    order::sort(&mut rows, |a, b| sort.compare(&keys(*a), &keys(*b)));
    rows
}

fn keys(context: ServicesContext) {
    let range = move || context.state.with_untracked(|state| state.range.clone());
    Shortcuts::add(move |key| match key {
        "j" | "ArrowDown" => {
            context.step(1);
            true
        }
        "k" | "ArrowUp" => {
            context.step(-1);
            true
        }
        "Enter" | "o" => context.follow(|service| Some(service_url(&service.name, &range()))),
        "e" => context.follow(|service| {
            let error = service.latest_error.as_ref()?;
            Some(trace_url(error.trace_id.as_deref()?, error.span_id.as_deref()))
        }),
        _ => false,
    });
}

fn body(context: ServicesContext) -> AnyView {
    let answer = context.answer;
    let is_empty = Memo::new(move |_| answer.data.with(|answer| answer.as_ref().is_none_or(|a| a.services.is_empty())));
    match (is_empty.get(), answer.error.get(), answer.is_first_load()) {
        (true, Some(error), _) => view! { <Failure error/> }.into_any(),
        (true, None, true) => view! { <Skeleton label="Loading services"/> }.into_any(),
        (true, None, false) => {
            let go = Callback::new(move |range| context.go(false, |state| state.range = range));
            view! { <NothingSent go/> }.into_any()
        }
        (false, error, _) => view! {
            {error.map(|error| view! { <FailureLine error/> })}
            <cards::Cards/>
            <Toolbar/>
            <section class="services-rows" aria-label="Services"><table::Table/></section>
        }
        .into_any(),
    }
}

/// The filter, how many services there are, what the answer cost.
#[component]
fn Toolbar() -> impl IntoView {
    let context: ServicesContext = expect_context();
    let input = NodeRef::<Input>::new();
    focus_on_slash(input);
    let words = move || {
        let (shown, all) = (
            context.rows.with(|rows| rows.len()),
            context.answer.data.with(|answer| answer.as_ref().map_or(0, |answer| answer.services.len())),
        );
        match shown == all {
            true => ui_core::format::counted(all as u64, "service"),
            false => format!("{shown} of {}", ui_core::format::counted(all as u64, "service")),
        }
    };
    let cost = move || {
        context
            .answer
            .data
            .with(|answer| answer.as_ref().map(|answer| stats_words(&answer.stats, &answer.completeness)))
    };
    view! {
        <div class="toolbar services-toolbar">
            <span class="find">
                {icon(icons::SEARCH)}
                <input class="input" type="search" node_ref=input data-testid="services-filter" placeholder="Filter services"
                    aria-label="Filter services by name" autocomplete="off" spellcheck="false"
                    prop:value=move || context.state.with(|state| state.filter.clone())
                    on:input=move |event| {
                        let typed = event_target_value(&event);
                        context.go(true, |state| state.filter = typed);
                    }/>
                <kbd aria-hidden="true">"/"</kbd>
            </span>
            <span class="muted small" role="status" data-testid="services-total">{words}</span>
            <span class="gap"></span>
            <span class="faint small cut" data-testid="stats">{cost}</span>
        </div>
    }
}
