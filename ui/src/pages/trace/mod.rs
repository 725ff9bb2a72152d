//! One trace: summary, minimap, waterfall with its log records, one span in detail.

mod header;
mod minimap;
mod span_panel;
mod toolbar;
mod waterfall;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};
use ui_core::requests;
use ui_core::state::{TraceState, UrlState};
use ui_core::trace::{self, Layout, Row, RowOptions, TraceDocument};

use crate::fetch::ApiError;
use crate::parts::list::Scroll;
use crate::parts::states::{Failure, Skeleton};
use crate::query::{Ask, Query, use_query_latest};
use crate::session::{self, Navigator, Session};
use crate::shortcuts::Shortcuts;

/// Height of a row in pixels; the style sheet's `--row` says the same.
const ROW_HEIGHT: f64 = 24.0;
/// Milliseconds for which a trace seen elsewhere is not fetched again: it may still grow.
pub const KEPT_AGE_MAX: f64 = 10_000.0;

/// How long a waterfall in brief stands before the rest is asked for.
const PAINTED: Duration = Duration::from_millis(150);

/// A trace as the page uses it.
pub struct TraceData {
    /// The answer.
    pub document: TraceDocument,
    /// Its tree.
    pub layout: Layout,
}

/// Reads and lays out an answer.
pub fn decode_trace(bytes: Arc<Vec<u8>>) -> Result<TraceData, ApiError> {
    mark("trace-arrived");
    let document = TraceDocument::decode(bytes).map_err(|error| ApiError::unreadable(&error.0))?;
    mark("trace-read");
    let layout = Layout::of(&document);
    mark("trace-laid-out");
    Ok(TraceData { document, layout })
}

/// A mark on the browser's own timeline, for whoever asks where the time went.
fn mark(name: &str) {
    if let Some(performance) = window().performance() {
        let _ = performance.mark(name);
    }
}

/// Rows of the waterfall, equal to themselves only.
#[derive(Clone, Default)]
struct Rows(Arc<Vec<Row>>);

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What the parts of the page share; handles, cheap to copy.
#[derive(Clone, Copy)]
struct TraceContext {
    session: Session,
    navigator: Navigator,
    search: Memo<String>,
    trace_id: Memo<String>,
    state: Memo<TraceState>,
    trace: Query<TraceData>,
    collapsed: RwSignal<HashSet<u32>>,
    rows: Memo<Rows>,
    /// Spans that hold what is looked for, in order.
    matches: Memo<Arc<Vec<u32>>>,
    match_set: Memo<HashSet<u32>>,
    cursor: RwSignal<Option<usize>>,
    scroll: Scroll,
    /// Index of the span shown beside the waterfall.
    selected: Memo<Option<u32>>,
}

impl TraceContext {
    fn data(self) -> Option<Arc<TraceData>> {
        self.trace.data.get_untracked()
    }

    fn go(self, replace: bool, change: impl FnOnce(&mut TraceState)) {
        let mut state = self.state.get_untracked();
        change(&mut state);
        let url = state.url_of(&self.trace_id.get_untracked(), &self.search.get_untracked());
        self.navigator.go(&url, replace);
    }

    /// Shows a span beside the waterfall.
    fn open(self, span: u32) {
        let Some(data) = self.data() else { return };
        let Some(head) = data.document.spans.get(span as usize) else { return };
        let id = format!("{:016x}", head.id);
        let was_open = self.state.with_untracked(|state| !state.span.is_empty());
        if self.state.with_untracked(|state| state.span == id) {
            return;
        }
        self.go(was_open, |state| {
            state.span = id;
            state.tab = String::new();
        });
    }

    fn close(self) {
        self.go(false, |state| state.span = String::new());
    }

    /// Makes a span's row seen and puts the cursor there, whatever is collapsed above it.
    fn reveal(self, span: u32) {
        let Some(data) = self.data() else { return };
        let hidden = self.collapsed.with_untracked(|collapsed| {
            let mut copy = collapsed.clone();
            trace::reveal(&data.layout, &mut copy, span).then_some(copy)
        });
        if let Some(collapsed) = hidden {
            self.collapsed.set(collapsed);
        }
        let row = self.rows.with_untracked(|rows| trace::row_of_span(&rows.0, span));
        if let Some(row) = row {
            self.cursor.set(Some(row));
            self.scroll.jump(row);
        }
    }

    /// Reveals a span and shows it where the panel is open.
    fn visit(self, span: u32) {
        self.reveal(span);
        self.open(span);
    }

    fn toggle(self, span: u32) {
        self.collapsed.update(|collapsed| {
            if !collapsed.remove(&span) {
                collapsed.insert(span);
            }
        });
    }

    fn collapse_all(self) {
        let Some(data) = self.data() else { return };
        let parents = (0_u32..).zip(&data.layout.descendants).filter(|(_, below)| **below > 0);
        self.collapsed
            .set(parents.map(|(span, _)| span).filter(|span| data.layout.depth[*span as usize] > 0).collect());
    }

    fn step(self, by: i64) {
        let count = self.rows.with_untracked(|rows| rows.0.len());
        let Some(row) = ui_core::window::step(self.cursor.get_untracked(), by, count) else { return };
        self.cursor.set(Some(row));
        self.scroll.show(row);
        if self.state.with_untracked(|state| !state.span.is_empty()) {
            self.open_row(row);
        }
    }

    /// Opens what a row is about.
    fn open_row(self, row: usize) {
        let Some(data) = self.data() else { return };
        match self.rows.with_untracked(|rows| rows.0.get(row).copied()) {
            Some(Row::Span(span)) => self.open(span),
            Some(Row::MoreLogs { span, .. }) => {
                self.open(span);
                self.go(true, |state| state.tab = "logs".to_owned());
            }
            Some(Row::Log { log, .. }) => {
                let id = data.document.logs.get(log as usize).and_then(|log| log.span);
                let span = id.and_then(|id| data.document.spans.iter().position(|span| span.id == id));
                if let Some(span) = span {
                    self.open(span as u32);
                    self.go(true, |state| state.tab = "logs".to_owned());
                }
            }
            Some(Row::Loose { .. }) | None => {}
        }
    }

    /// The span of the cursor's row, else of the nearest span row above it.
    fn span_at_cursor(self) -> Option<u32> {
        let row = self.cursor.get_untracked()?;
        self.rows.with_untracked(|rows| {
            rows.0.get(..=row)?.iter().rev().find_map(|row| match row {
                Row::Span(span) => Some(*span),
                _ => None,
            })
        })
    }

    /// The next or previous of some spans, seen from the cursor, around the end.
    fn next_of(self, spans: &[u32], forward: bool) {
        let Some(data) = self.data() else { return };
        let position = |span: &u32| data.layout.position[*span as usize];
        let here = self.span_at_cursor().map(|span| position(&span));
        let found = match (here, forward) {
            (Some(here), true) => spans.iter().find(|span| position(span) > here).or(spans.first()),
            (None, true) => spans.first(),
            (Some(here), false) => spans.iter().rev().find(|span| position(span) < here).or(spans.last()),
            (None, false) => spans.last(),
        };
        if let Some(span) = found {
            self.visit(*span);
        }
    }

    fn next_error(self) {
        if let Some(data) = self.data() {
            self.next_of(&trace::errors_in_order(&data.document, &data.layout), true);
        }
    }

    fn next_match(self, forward: bool) {
        self.next_of(&self.matches.get_untracked(), forward);
    }
}

/// The page.
#[component]
pub fn TracePage() -> impl IntoView {
    let session = Session::get();
    session.title.set("Trace".to_owned());
    let search = use_location().search;
    let params = use_params_map();
    let trace_id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default().to_lowercase()));
    let state = Memo::new(move |_| search.with(|search| TraceState::parse(search)));
    let first_reload = session.reloads.get_untracked();
    let trace = use_query_latest::<TraceData>(
        move || {
            let reloads = session.reloads.get();
            let url = requests::trace(&trace_id.get());
            let restored = session::take_restored();
            // Known when Back leads here, or asked ahead from a log record's panel; a reload asks anew.
            Some(match (reloads == first_reload, restored) {
                (true, true) => Ask::kept(url, f64::INFINITY),
                (true, false) => Ask::kept(url, KEPT_AGE_MAX),
                (false, _) => Ask::fresh(format!("{url}#{reloads}")),
            })
        },
        decode_trace,
    );
    complete(trace, trace_id);
    let context = context(session, search, trace_id, state, trace);
    provide_context(context);
    Effect::new(move |_| {
        if let Some(data) = trace.data.get() {
            session.assign_slots(data.document.services.iter().map(String::as_str));
        }
    });
    // A link to another trace begins afresh: rows, collapsed spans and scrolling belong to the one before.
    Effect::new(move |earlier: Option<String>| {
        let id = trace_id.get();
        if earlier.is_some_and(|earlier| earlier != id) {
            context.collapsed.set(HashSet::new());
            context.cursor.set(None);
            context.scroll.to(0.0);
        }
        id
    });
    reveal_selected(context);
    keys(context);
    let has_panel = Memo::new(move |_| context.selected.get().is_some());
    let is_here = Memo::new(move |_| {
        trace.data.with(|data| data.as_ref().is_some_and(|data| trace_id.with(|id| data.document.trace_id == *id)))
    });
    let body = move || match (is_here.get(), trace.error.get()) {
        (true, _) => view! {
            <header::Header/>
            <minimap::Minimap/>
            <toolbar::Toolbar/>
            <div class="trace-body">
                <waterfall::Waterfall/>
                <Show when=move || has_panel.get()><span_panel::SpanPanel/></Show>
            </div>
        }
        .into_any(),
        (false, Some(error)) if error.status == 404 => view! { <Unknown/> }.into_any(),
        (false, Some(error)) => view! { <Failure error/> }.into_any(),
        (false, None) => view! { <Skeleton label="Loading the trace"/> }.into_any(),
    };
    view! { <div class="trace" class:with-panel=move || has_panel.get()>{body}</div> }
}

/// A trace that came in brief is asked for again, whole, once it has been painted, and takes the brief one's place.
fn complete(trace: Query<TraceData>, trace_id: Memo<String>) {
    let wanted = RwSignal::new(None::<String>);
    Effect::new(move |_| {
        let is_brief = trace.data.with(|data| data.as_ref().is_some_and(|data| data.document.is_brief));
        let id = trace_id.get();
        wanted.set(None);
        if is_brief {
            let ask = move || drop(wanted.try_set(Some(id.clone())));
            if let Ok(handle) = set_timeout_with_handle(ask, PAINTED) {
                on_cleanup(move || handle.clear());
            }
        }
    });
    let whole = use_query_latest::<TraceData>(
        move || wanted.get().map(|id| Ask::fresh(requests::trace_whole(&id))),
        decode_trace,
    );
    Effect::new(move |_| {
        if let Some(data) = whole.data.get().filter(|data| data.document.trace_id == trace_id.get_untracked()) {
            trace.data.set(Some(data));
        }
    });
}

fn context(
    session: Session,
    search: Memo<String>,
    trace_id: Memo<String>,
    state: Memo<TraceState>,
    trace: Query<TraceData>,
) -> TraceContext {
    let collapsed = RwSignal::new(HashSet::new());
    let hides_logs = Memo::new(move |_| state.with(|state| state.hides_logs));
    let rows = Memo::new(move |_| {
        let Some(data) = trace.data.get() else { return Rows::default() };
        let options = RowOptions { logs: !hides_logs.get() };
        Rows(Arc::new(collapsed.with(|collapsed| trace::rows(&data.document, &data.layout, collapsed, options))))
    });
    let find = Memo::new(move |_| state.with(|state| state.find.clone()));
    let matches = Memo::new(move |_| {
        let found = trace.data.get().map(|data| find.with(|text| trace::find(&data.document, &data.layout, text)));
        Arc::new(found.unwrap_or_default())
    });
    let selected = Memo::new(move |_| {
        let id = state.with(|state| state.span.clone());
        let data = trace.data.get().filter(|_| !id.is_empty())?;
        data.document.span_by_id(&id).map(|index| index as u32)
    });
    TraceContext {
        session,
        navigator: Navigator::get(),
        search,
        trace_id,
        state,
        trace,
        collapsed,
        rows,
        matches,
        match_set: Memo::new(move |_| matches.with(|matches| matches.iter().copied().collect())),
        cursor: RwSignal::new(None),
        scroll: Scroll::new(ROW_HEIGHT),
        selected,
    }
}

/// A deep link to a span shows its row.
fn reveal_selected(context: TraceContext) {
    Effect::new(move |_| {
        if let Some(span) = context.selected.get() {
            context.reveal(span);
        }
    });
}

fn keys(context: TraceContext) {
    Shortcuts::add(move |key| {
        match key {
            "j" | "ArrowDown" => context.step(1),
            "k" | "ArrowUp" => context.step(-1),
            "Enter" | "o" => match context.cursor.get_untracked() {
                Some(row) => context.open_row(row),
                None => return false,
            },
            "Escape" if context.selected.get_untracked().is_some() => context.close(),
            "Escape" if context.state.with_untracked(|state| state.zoom.is_some()) => {
                context.go(false, |state| state.zoom = None)
            }
            "e" => context.next_error(),
            "n" => context.next_match(true),
            "N" => context.next_match(false),
            "[" => context.collapse_all(),
            "]" => context.collapsed.set(HashSet::new()),
            "x" | "ArrowLeft" | "ArrowRight" => match context.span_at_cursor() {
                Some(span) => context.toggle(span),
                None => return false,
            },
            "i" => context.go(true, |state| state.hides_logs = !state.hides_logs),
            _ => return false,
        }
        true
    });
}

/// Nothing carries this id.
#[component]
fn Unknown() -> impl IntoView {
    let context: TraceContext = expect_context();
    let session = context.session;
    view! {
        <div class="state" data-testid="not-found">
            <h2>"Nothing stored carries this trace id"</h2>
            <p class="mono">{move || context.trace_id.get()}</p>
            <p>"It may still be on its way: exporters send in batches. It may have been sampled out, or kept longer ago than this server keeps data."</p>
            <p class="line centre">
                <button type="button" class="button primary"
                    on:click=move |_| session.reloads.update(|n| *n += 1)>"Look again"</button>
                <a class="button" href="/traces">"Recent traces"</a>
            </p>
        </div>
    }
}
