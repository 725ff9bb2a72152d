//! Logs: filter, histogram, rows, one record in detail, and live refresh that moves no line being read.

mod detail;
mod histogram;
mod live;
mod rows;
mod trace_card;

use std::sync::Arc;

use api::filter::Target;
use api::{HistogramAnswer, LogRecord, LogSearchAnswer};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_location;
use ui_core::format;
use ui_core::logs::{self, LogList};
use ui_core::range::{RangeText, Window};
use ui_core::requests;
use ui_core::state::{LogPanel, LogsState, UrlState};
use ui_core::{fields, highlight};

use crate::fetch;
use crate::parts::icons::{self, icon};
use crate::parts::list::Scroll;
use crate::parts::query_bar::QueryBar;
use crate::parts::states::{Failure, FailureLine, Skeleton, stats_words};
use crate::query::{Ask, Query, use_query_latest};
use crate::run::{Run, use_run};
use crate::session::{Navigator, Session};
use crate::shortcuts::Shortcuts;

/// Height of a row in pixels; the style sheet's `--row` says the same.
const ROW_HEIGHT: f64 = 24.0;
/// Bars the histogram asks for.
const HISTOGRAM_STEPS: usize = 90;

/// What the parts of the page share; handles, cheap to copy.
#[derive(Clone, Copy)]
struct LogsContext {
    session: Session,
    navigator: Navigator,
    search: Memo<String>,
    state: Memo<LogsState>,
    run: RwSignal<Option<Run<LogsState>>>,
    list: RwSignal<LogList>,
    /// Number of the run that filled the list.
    filled_by: RwSignal<Option<u32>>,
    /// Words to mark in bodies.
    words: Memo<Vec<highlight::Word>>,
    cursor: RwSignal<Option<usize>>,
    scroll: Scroll,
    loads_older: RwSignal<bool>,
    older_failed: RwSignal<bool>,
    /// Records that came in above while someone read.
    unseen: RwSignal<usize>,
    /// Whether the newest were asked for and the pointer has rested since: then it does not read, wherever it is.
    follows: RwSignal<bool>,
    /// Window of the histogram once it has moved on by live refresh, and the run it belongs to.
    moved_window: RwSignal<Option<(u32, Window)>>,
    /// What went wrong with live refresh.
    live_note: RwSignal<Option<String>>,
}

impl LogsContext {
    fn go(self, state: &LogsState, replace: bool) {
        let url = state.url_over(&self.search.get_untracked());
        self.navigator.go(&url, replace);
    }

    /// Runs another filter.
    fn filter(self, query: String) {
        let mut state = self.state.get_untracked();
        if state.query == query {
            self.session.reloads.update(|n| *n += 1);
        } else {
            state.query = query;
            state.panel = None;
            self.go(&state, false);
        }
    }

    /// Looks at another range.
    fn zoom(self, range: RangeText) {
        let mut state = self.state.get_untracked();
        state.range = range;
        state.live = false;
        self.go(&state, false);
    }

    /// Shows a row's record beside the list. Moving on from one record to the next leaves no trail in the history.
    fn open(self, row: usize) {
        let found = self.list.with_untracked(|list| Some((list.key_at(row)?, list.get(row)?.time_unix_nano.0)));
        let Some((key, time)) = found else { return };
        self.cursor.set(Some(row));
        let mut state = self.state.get_untracked();
        let was_open = state.panel.is_some();
        state.panel = Some(LogPanel { time, key });
        self.go(&state, was_open);
    }

    fn close(self) {
        let mut state = self.state.get_untracked();
        state.panel = None;
        self.go(&state, false);
    }

    /// Shows the newest records, and goes on showing them as they come.
    fn follow_newest(self) {
        self.follows.set(true);
        self.unseen.set(0);
        self.scroll.to(0.0);
    }

    fn moved_pointer(self, event: &leptos::ev::PointerEvent) {
        if (event.movement_x() != 0 || event.movement_y() != 0) && self.follows.get_untracked() {
            self.follows.set(false);
        }
    }

    /// Moves the cursor; the panel follows where it is open.
    fn step(self, by: i64) {
        let rows = self.list.with_untracked(LogList::len);
        let Some(row) = ui_core::window::step(self.cursor.get_untracked(), by, rows) else { return };
        self.cursor.set(Some(row));
        self.scroll.show(row);
        if self.state.with_untracked(|state| state.panel.is_some()) {
            self.open(row);
        }
    }

    /// Fetches the next page of older records.
    fn load_older(self) {
        let Some(run) = self.run.get_untracked() else { return };
        let cursor = self.list.with_untracked(|list| list.cursor.clone());
        let Some(cursor) = cursor else { return };
        if self.loads_older.get_untracked() || self.filled_by.get_untracked() != Some(run.number) {
            return;
        }
        self.loads_older.set(true);
        self.older_failed.set(false);
        let url = requests::logs(&run.state.query, run.window, requests::PAGE_ROWS, Some(&cursor));
        spawn_local(async move {
            let answer = fetch::fetch_bytes(&url, None).await.and_then(fetch::decode::<LogSearchAnswer>);
            if self.run.try_with_untracked(|now| now.as_ref().map(|run| run.number)) != Some(Some(run.number)) {
                self.loads_older.try_set(false);
                return;
            }
            match answer {
                Ok(answer) => {
                    assign_slots(self.session, &answer.logs);
                    self.list.update(|list| {
                        list.append_older(answer);
                    });
                }
                Err(_) => self.older_failed.set(true),
            }
            self.loads_older.set(false);
        });
    }
}

fn assign_slots(session: Session, records: &[LogRecord]) {
    session.assign_slots(records.iter().map(logs::service));
}

/// The page.
#[component]
pub fn LogsPage() -> impl IntoView {
    let session = Session::get();
    session.title.set("Logs".to_owned());
    let search = use_location().search;
    let state = Memo::new(move |_| search.with(|search| LogsState::parse(search)));
    let run = use_run(move || {
        let asked = state.with(|state| LogsState {
            query: state.query.clone(),
            range: state.range.clone(),
            ..LogsState::default()
        });
        (asked.clone(), asked.range.clone(), asked.url())
    });
    let context = LogsContext {
        session,
        navigator: Navigator::get(),
        search,
        state,
        run,
        list: RwSignal::new(LogList::default()),
        filled_by: RwSignal::new(None),
        words: Memo::new(move |_| state.with(|state| highlight::words(&state.query))),
        cursor: RwSignal::new(None),
        scroll: Scroll::new(ROW_HEIGHT),
        loads_older: RwSignal::new(false),
        older_failed: RwSignal::new(false),
        unseen: RwSignal::new(0),
        follows: RwSignal::new(false),
        moved_window: RwSignal::new(None),
        live_note: RwSignal::new(None),
    };
    provide_context(context);
    let rows = use_query_latest::<LogSearchAnswer>(
        move || run.get().map(|run| run.ask(requests::logs(&run.state.query, run.window, requests::FIRST_ROWS, None))),
        fetch::decode,
    );
    let histogram = use_query_latest::<HistogramAnswer>(
        move || {
            let run = run.get()?;
            let moved = context.moved_window.get().filter(|(number, _)| *number == run.number);
            let window = moved.map_or(run.window, |(_, window)| window);
            let shown = session.shows_histogram.get();
            shown.then(|| run.ask(requests::log_histogram(&run.state, window, HISTOGRAM_STEPS)))
        },
        fetch::decode,
    );
    fill(context, rows);
    live::follow(context);
    keys(context);
    let server_error = Signal::derive(move || {
        rows.error.get().filter(|error| error.position.is_some()).map(|error| (error.detail, error.position))
    });
    let has_panel = Memo::new(move |_| state.with(|state| state.panel.is_some()));
    view! {
        <div class="logs" class:with-panel=move || has_panel.get()>
            <QueryBar
                query=Signal::derive(move || state.with(|state| state.query.clone()))
                run=Callback::new(move |query| context.filter(query))
                target=Target::Logs
                label="Filter log records"
                placeholder="Words, \"a phrase\", service:checkout, severity:>=warn, -http.route:/health"
                server_error=server_error
            />
            <Summary rows histogram/>
            <Show when=move || session.shows_histogram.get()><histogram::Histogram histogram/></Show>
            <div class="logs-body">
                <section class="logs-rows" aria-label="Log records"
                    on:pointermove=move |event| context.moved_pointer(&event)>{move || body(context, rows)}</section>
                <Show when=move || has_panel.get()><detail::Detail/></Show>
            </div>
        </div>
    }
}

/// Takes each first page into the list.
fn fill(context: LogsContext, rows: Query<LogSearchAnswer>) {
    Effect::new(move |_| {
        let Some(answer) = rows.data.get() else { return };
        let run = context.run.get_untracked();
        assign_slots(context.session, &answer.logs);
        context.list.set(LogList::first((*answer).clone()));
        context.filled_by.set(run.as_ref().map(|run| run.number));
        context.cursor.set(None);
        context.unseen.set(0);
        let restored = run.filter(|run| run.restored).map(|run| context.session.scroll(&run.state.url()));
        context.scroll.to(restored.unwrap_or(0.0));
    });
    on_cleanup(move || {
        if let Some(run) = context.run.try_get_untracked().flatten() {
            context.session.keep_scroll(run.state.url(), context.scroll.top.try_get_untracked().unwrap_or(0.0));
        }
    });
    // The cursor is where the panel's record is, once that is loaded.
    Effect::new(move |_| {
        let panel = context.state.with(|state| state.panel.clone());
        let row = panel.and_then(|panel| context.list.with(|list| list.position(panel.key)));
        if let Some(row) = row {
            context.cursor.set(Some(row));
            context.scroll.show(row);
        }
    });
}

fn keys(context: LogsContext) {
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
                context.open(row);
                true
            }
            None => false,
        },
        "Escape" if context.state.with_untracked(|state| state.panel.is_some()) => {
            context.close();
            true
        }
        _ => false,
    });
}

/// The line above the histogram: how many, what it cost.
#[component]
fn Summary(rows: Query<LogSearchAnswer>, histogram: Query<HistogramAnswer>) -> impl IntoView {
    let context: LogsContext = expect_context();
    let session = context.session;
    let total = move || {
        let counted = histogram.data.with(|answer| answer.as_ref().map(|answer| answer.total));
        let (loaded, more) = context.list.with(|list| (list.len() as u64, list.cursor.is_some()));
        match counted.filter(|_| session.shows_histogram.get()) {
            Some(total) => (format::count(total), total == 1),
            None if more => (format!("{}+", format::count(loaded)), false),
            None => (format::count(loaded), loaded == 1),
        }
    };
    let cost =
        move || rows.data.with(|answer| answer.as_ref().map(|answer| stats_words(&answer.stats, &answer.completeness)));
    let totals = move || {
        let bars = histogram.data.with(|answer| answer.as_ref().map(|answer| ui_core::histogram::bars(answer)))?;
        Some(bars.totals.into_iter().map(|(severity, count)| {
            let class = format!("dot sev-{}", severity.name());
            view! { <span class="legend"><i class=class aria-hidden="true"></i>{format!("{} {}", severity.name(), format::count(count))}</span> }
        }).collect_view())
    };
    view! {
        <div class="summary">
            <strong data-testid="log-total">{move || total().0}</strong>
            <span class="muted">{move || if total().1 { "record" } else { "records" }}</span>
            <span class="faint cut" data-testid="stats">{cost}</span>
            <span class="gap"></span>
            <span class="legends">{move || session.shows_histogram.get().then(totals)}</span>
            <button type="button" class="button quiet icon-only"
                aria-pressed=move || session.shows_histogram.get().to_string()
                aria-label="Histogram" title="Show or hide the histogram" on:click=move |_| session.toggle_histogram()>
                {move || if session.shows_histogram.get() { icon(icons::UP) } else { icon(icons::DOWN) }}
            </button>
        </div>
    }
}

fn body(context: LogsContext, rows: Query<LogSearchAnswer>) -> AnyView {
    let is_empty = Memo::new(move |_| context.list.with(LogList::is_empty));
    let (error, first) = (rows.error.get(), rows.is_first_load());
    match (is_empty.get(), error, first) {
        (true, Some(error), _) => view! { <Failure error/> }.into_any(),
        (true, None, true) => view! { <Skeleton label="Loading log records"/> }.into_any(),
        (true, None, false) => view! { <Nothing/> }.into_any(),
        (false, error, _) => view! {
            {error.map(|error| view! { <FailureLine error/> })}
            <rows::Rows/>
        }
        .into_any(),
    }
}

/// No rows: because there is no data at all, none in this range, or none that matches.
#[component]
fn Nothing() -> impl IntoView {
    let context: LogsContext = expect_context();
    let filtered = move || context.state.with(|state| !state.query.is_empty());
    let run = context.run;
    let newest = use_query_latest::<LogSearchAnswer>(
        move || run.get().map(|run| run.ask(format!("{}#{}", requests::newest_log(&run.state.query), run.number))),
        fetch::decode,
    );
    let newest_time =
        move || newest.data.with(|answer| answer.as_ref().map(|a| a.logs.first().map(|r| r.time_unix_nano.0)));
    let jump = move |time: i64| {
        let half = 15 * ui_core::range::MINUTE;
        context.zoom(Window { start: time.saturating_sub(half), end: time.saturating_add(half) }.to_text());
    };
    view! {
        <div class="state" data-testid="empty">
            {move || match (newest_time(), filtered()) {
                (None, _) => view! { <h2>"No records in this range"</h2> }.into_any(),
                (Some(Some(time)), _) => {
                    let offset = context.session.offset_minutes(time);
                    view! {
                        <h2>"No records in this range"</h2>
                        <p>{format!("The newest that matches is of {} {}.", &format::exact(time, offset)[..19], format::zone(offset))}</p>
                        <button type="button" class="button primary" on:click=move |_| jump(time)>"Go there"</button>
                    }.into_any()
                }
                (Some(None), true) => view! {
                    <h2>"Nothing matches this filter"</h2>
                    <p class="mono">{move || context.state.with(|state| state.query.clone())}</p>
                    <p>"No stored record of any time matches. Remove a term, or all of them."</p>
                    <button type="button" class="button primary"
                        on:click=move |_| context.filter(String::new())>"Clear the filter"</button>
                }.into_any(),
                (Some(None), false) => view! {
                    <h2>"No log record was ever stored"</h2>
                    <p>"Point an OpenTelemetry SDK here and records appear within a second."</p>
                    <a class="button primary" href="/connect">"Connect a service"</a>
                }.into_any(),
            }}
        </div>
    }
}

/// The record the panel shows: from the list, or fetched by its time where the list has it not.
fn use_panel_record(context: LogsContext) -> Memo<Option<ArcRecord>> {
    let panel = Memo::new(move |_| context.state.with(|state| state.panel.clone()));
    let in_list = Memo::new(move |_| {
        let key = panel.get()?.key;
        context.list.with(|list| list.position(key).and_then(|row| list.get(row).cloned()).map(ArcRecord))
    });
    let fetched = use_query_latest::<LogSearchAnswer>(
        move || {
            let panel = panel.get()?;
            context.filled_by.get()?;
            let window = Window { start: panel.time, end: panel.time.saturating_add(1) };
            let url = requests::logs("", window, requests::PAGE_ROWS, None);
            in_list.with(Option::is_none).then(|| Ask::kept(url, f64::INFINITY))
        },
        fetch::decode,
    );
    Memo::new(move |_| {
        let key = panel.get()?.key;
        let elsewhere = || {
            let answer = fetched.data.get()?;
            answer.logs.iter().find(|record| logs::key(record) == key).map(|record| ArcRecord(Arc::new(record.clone())))
        };
        in_list.get().or_else(elsewhere)
    })
}

/// A shared record, equal to itself only: comparing records would cost more than showing them again.
#[derive(Clone)]
struct ArcRecord(Arc<LogRecord>);

impl PartialEq for ArcRecord {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Adds a term to the filter, or takes it away.
fn toggle_filter(context: LogsContext, field: &str, value: &str, exclude: bool) {
    let term = fields::filter_term(field, value, exclude);
    let query = context.state.with_untracked(|state| fields::toggle_term(&state.query, &term));
    context.filter(query);
}
