//! Metrics: what is sent, one of them over time, and from an exemplar to its trace.

mod chart;
mod controls;
mod legend;
mod list;

use api::{MetricRangeAnswer, MetricSeriesAnswer, MetricsAnswer};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use ui_core::metrics::{self, MetricsState};
use ui_core::range::{RangeText, Window};
use ui_core::requests;
use ui_core::state::UrlState;

use crate::fetch;
use crate::parts::icons::{self, icon};
use crate::parts::list::Scroll;
use crate::parts::states::{Failure, FailureLine, Skeleton, stats_words};
use crate::query::{Query, use_query_latest};
use crate::run::{Run, use_run};
use crate::session::{Navigator, Session};
use crate::shortcuts::Shortcuts;

use chart::Shown;

/// Height of a row in pixels; the style sheet's `.metric-row` fits in it.
const ROW_HEIGHT: f64 = 32.0;

/// What the parts of the page share; handles, cheap to copy.
#[derive(Clone, Copy)]
struct MetricsContext {
    session: Session,
    navigator: Navigator,
    search: Memo<String>,
    state: Memo<MetricsState>,
    run: RwSignal<Option<Run<()>>>,
    list: Query<MetricsAnswer>,
    series: Query<MetricSeriesAnswer>,
    values: Query<MetricRangeAnswer>,
    /// The chart, once there is one.
    shown: Memo<Option<Shown>>,
    cursor: RwSignal<Option<usize>>,
    scroll: Scroll,
}

impl MetricsContext {
    fn go(self, replace: bool, change: impl FnOnce(&mut MetricsState)) {
        let mut state = self.state.get_untracked();
        change(&mut state);
        let url = state.url_over(&self.search.get_untracked());
        self.navigator.go(&url, replace);
    }

    /// Looks at another time.
    fn zoom(self, window: Window) {
        self.go(false, |state| state.range = window.to_text());
    }

    fn has_metric(self) -> bool {
        self.state.with(|state| !state.metric.is_empty())
    }

    fn step(self, by: i64) {
        let rows = self.list.data.with_untracked(|answer| answer.as_ref().map_or(0, |answer| answer.metrics.len()));
        let Some(row) = ui_core::window::step(self.cursor.get_untracked(), by, rows) else { return };
        self.cursor.set(Some(row));
        self.scroll.show(row);
        if self.state.with_untracked(|state| !state.metric.is_empty()) {
            self.open(row, true);
        }
    }

    /// Charts the metric of a row.
    fn open(self, row: usize, replace: bool) {
        let name =
            self.list.data.with_untracked(|a| a.as_ref().and_then(|a| a.metrics.get(row).map(|m| m.name.clone())));
        if let Some(name) = name {
            self.go(replace, |state| state.choose(&name));
        }
    }
}

/// The page.
#[component]
pub fn MetricsPage() -> impl IntoView {
    let session = Session::get();
    let search = use_location().search;
    let state = Memo::new(move |_| search.with(|search| MetricsState::parse(search)));
    let run = use_run(move || {
        let range = state.with(|state| state.range.clone());
        ((), range.clone(), MetricsState { range, ..MetricsState::default() }.url())
    });
    let part = move |part: fn(&MetricsState) -> String| Memo::new(move |_| state.with(part));
    let (words, metric) = (part(|state| state.search.clone()), part(|state| state.metric.clone()));
    // What the server is asked for: nothing of what only this page does with the answer.
    let asked = Memo::new(move |_| {
        state.with(|state| MetricsState {
            search: String::new(),
            range: RangeText::default(),
            only: String::new(),
            tab: String::new(),
            ..state.clone()
        })
    });
    let list = use_query_latest::<MetricsAnswer>(
        move || run.get().map(|run| words.with(|words| run.ask(requests::metrics(words, run.window)))),
        fetch::decode,
    );
    let of_metric = move || run.get().filter(|_| metric.with(|metric| !metric.is_empty()));
    let series = use_query_latest::<MetricSeriesAnswer>(
        move || of_metric().map(|run| metric.with(|metric| run.ask(requests::metric_series(metric, run.window)))),
        fetch::decode,
    );
    let values = use_query_latest::<MetricRangeAnswer>(
        move || of_metric().map(|run| asked.with(|asked| run.ask(requests::metric_range(asked, run.window)))),
        fetch::decode,
    );
    let context = MetricsContext {
        session,
        navigator: Navigator::get(),
        search,
        state,
        run,
        list,
        series,
        values,
        shown: chart::shown(session, state, run, values),
        cursor: RwSignal::new(None),
        scroll: Scroll::new(ROW_HEIGHT),
    };
    provide_context(context);
    Effect::new(move |_| {
        let name = metric.get();
        session.title.set(if name.is_empty() { "Metrics".to_owned() } else { name });
    });
    follow_choice(context);
    keys(context);
    view! {
        <div class="metrics" class:with-chart=move || context.has_metric()>
            <section class="metrics-list" aria-label="Metrics">
                <list::Search/>
                {move || list_body(context)}
            </section>
            <Show when=move || context.has_metric()>
                <section class="metric" aria-label="Metric over time"><Metric/></section>
            </Show>
        </div>
    }
}

/// The cursor is where the charted metric is.
fn follow_choice(context: MetricsContext) {
    Effect::new(move |_| {
        let name = context.state.with(|state| state.metric.clone());
        let row = context.list.data.with(|a| a.as_ref().and_then(|a| a.metrics.iter().position(|m| m.name == name)));
        context.cursor.set(row);
        if let Some(row) = row {
            context.scroll.show(row);
        }
    });
}

fn keys(context: MetricsContext) {
    Shortcuts::add(move |key| match key {
        "j" | "ArrowDown" => {
            context.step(1);
            true
        }
        "k" | "ArrowUp" => {
            context.step(-1);
            true
        }
        "Enter" | "o" => match context.cursor.get_untracked() {
            Some(row) => {
                context.open(row, false);
                true
            }
            None => false,
        },
        "Escape" => {
            context.state.with_untracked(|state| (!state.only.is_empty(), !state.metric.is_empty())) != (false, false)
                && {
                    context.go(false, |state| match state.only.is_empty() {
                        true => state.choose(""),
                        false => state.only.clear(),
                    });
                    true
                }
        }
        _ => false,
    });
}

fn list_body(context: MetricsContext) -> AnyView {
    let list = context.list;
    let is_empty = list.data.with(|answer| answer.as_ref().is_none_or(|answer| answer.metrics.is_empty()));
    match (is_empty, list.error.get(), list.is_first_load()) {
        (true, Some(error), _) => view! { <Failure error/> }.into_any(),
        (true, None, true) => view! { <Skeleton label="Loading metrics"/> }.into_any(),
        (true, None, false) => view! { <list::Nothing/> }.into_any(),
        (false, error, _) => view! {
            {error.map(|error| view! { <FailureLine error/> })}
            <list::List/>
        }
        .into_any(),
    }
}

/// One metric: what it is, what is asked of it, its lines.
#[component]
fn Metric() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let values = context.values;
    let is_here = Memo::new(move |_| {
        let wanted = context.state.with(|state| state.metric.clone());
        values.data.with(|answer| answer.as_ref().is_some_and(|answer| answer.metric.name == wanted))
    });
    // A fault in the filter is said at the filter.
    let error = move || values.error.get().filter(|error| error.position.is_none());
    let body = move || match (is_here.get(), error()) {
        (true, error) => view! {
            {error.map(|error| view! { <FailureLine error/> })}
            <chart::MetricChart/>
            <legend::Below/>
        }
        .into_any(),
        (false, Some(error)) if error.status == 404 => view! {
            <div class="state" data-testid="not-found"><h2>"No such metric"</h2>
                <p>"Nothing of this name is stored, or it lies before what this server keeps."</p></div>
        }
        .into_any(),
        (false, Some(error)) => view! { <Failure error/> }.into_any(),
        (false, None) => view! { <Skeleton label="Loading the metric"/> }.into_any(),
    };
    view! { <Head/> <controls::Controls/> {body} }
}

#[component]
fn Head() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let name = Memo::new(move |_| context.state.with(|state| state.metric.clone()));
    let summary = move || {
        let name = name.get();
        let of_values = context.values.data.get().map(|answer| answer.metric.clone()).filter(|m| m.name == name);
        let listed = || {
            let list = context.list.data.get()?;
            list.metrics.iter().find(|metric| metric.name == name).cloned()
        };
        of_values.or_else(listed)
    };
    let facts = move || {
        summary().map(|metric| {
            let unit = if metric.unit.is_empty() { "no unit".to_owned() } else { metric.unit.clone() };
            let temporality = match metric.temporality.as_str() {
                "" => String::new(),
                temporality => format!(" · {temporality}"),
            };
            view! {
                <span class="badge">{metrics::kind_words(&metric)}</span>
                <span class="muted small">{format!("{unit}{temporality}")}</span>
                <span class="muted small cut" title=metric.description.clone()>{metric.description.clone()}</span>
            }
        })
    };
    let cost = move || {
        context
            .values
            .data
            .with(|answer| answer.as_ref().map(|answer| stats_words(&answer.stats, &answer.completeness)))
    };
    view! {
        <div class="metric-head">
            <h2 class="mono cut" data-testid="metric-name">{move || name.get()}</h2>
            {facts}
            <span class="gap"></span>
            <span class="faint small cut facts-stats" data-testid="stats">{cost}</span>
            <button type="button" class="button quiet icon-only" aria-label="Back to all metrics"
                title="Back to all metrics (Esc)" on:click=move |_| context.go(false, |state| state.choose(""))>{icon(icons::CLOSE)}</button>
        </div>
    }
}
