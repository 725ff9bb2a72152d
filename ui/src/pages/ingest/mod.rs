//! Ingest: what became of everything that was sent, by service and signal; what was refused, and how far back resends
//! are recognised.

mod rows;
mod since_start;

use std::sync::Arc;

use api::IngestAnswer;
use leptos::html::Input;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use ui_core::format;
use ui_core::ledger::{self, IngestState, Sum};
use ui_core::range::RangeText;
use ui_core::requests;
use ui_core::state::UrlState;
use wasm_bindgen::JsCast;

use crate::fetch;
use crate::parts::icons::{self, icon};
use crate::parts::states::{Failure, FailureLine, Skeleton};
use crate::query::{Query, use_query_latest};
use crate::run::{Run, use_run};
use crate::session::{Navigator, Session};
use crate::shortcuts::{Shortcuts, focus_on_slash};

/// Steps asked for.
const STEPS: usize = 60;

/// What the parts of the page share; handles, cheap to copy.
#[derive(Clone, Copy)]
struct IngestContext {
    session: Session,
    navigator: Navigator,
    search: Memo<String>,
    state: Memo<IngestState>,
    run: RwSignal<Option<Run<RangeText>>>,
    answer: Query<IngestAnswer>,
    /// Indices of the rows shown, in the order they are shown in.
    rows: Memo<Arc<Vec<usize>>>,
    cursor: RwSignal<Option<usize>>,
}

impl IngestContext {
    fn go(self, replace: bool, change: impl FnOnce(&mut IngestState)) {
        let mut state = self.state.get_untracked();
        change(&mut state);
        let url = state.url_over(&self.search.get_untracked());
        self.navigator.go(&url, replace);
    }

    /// Opens a row, or closes it where it is open.
    fn toggle(self, key: &str) {
        self.go(true, |state| state.open = if state.open == key { String::new() } else { key.to_owned() });
    }

    fn step(self, by: i64) {
        let rows = self.rows.with_untracked(|rows| rows.len().min(rows::ROWS_MAX));
        if let Some(row) = ui_core::window::step(self.cursor.get_untracked(), by, rows) {
            self.cursor.set(Some(row));
            // The row's button has the keys from here on: Enter opens it.
            let button = document().get_element_by_id(&rows::button_id(row));
            if let Some(button) = button.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
                let _ = button.focus();
            }
        }
    }

    fn toggle_at_cursor(self) -> bool {
        let row = self.cursor.get_untracked().and_then(|at| self.rows.with_untracked(|rows| rows.get(at).copied()));
        let key = self.answer.data.with_untracked(|answer| Some(ledger::key(answer.as_ref()?.services.get(row?)?)));
        if let Some(key) = &key {
            self.toggle(key);
        }
        key.is_some()
    }
}

/// The page.
#[component]
pub fn IngestPage() -> impl IntoView {
    let session = Session::get();
    session.title.set("Ingest".to_owned());
    let search = use_location().search;
    let state = Memo::new(move |_| search.with(|search| IngestState::parse(search)));
    let run = use_run(move || {
        let range = state.with(|state| state.range.clone());
        let asked = IngestState { range: range.clone(), ..IngestState::default() };
        (range.clone(), range, asked.url())
    });
    let answer = use_query_latest::<IngestAnswer>(
        move || run.get().map(|run| run.ask(requests::ingest(run.window, STEPS))),
        fetch::decode,
    );
    let rows = Memo::new(move |_| {
        let filter = state.with(|state| state.filter.clone());
        answer.data.with(|answer| {
            let services = answer.iter().flat_map(|answer| &answer.services);
            session.assign_slots(services.map(|row| row.service.as_str()));
            Arc::new(answer.as_ref().map_or_else(Vec::new, |answer| ledger::rows(answer, &filter)))
        })
    });
    let context = IngestContext {
        session,
        navigator: Navigator::get(),
        search,
        state,
        run,
        answer,
        rows,
        cursor: RwSignal::new(None),
    };
    provide_context(context);
    Effect::new(move |_| {
        rows.track();
        context.cursor.set(None);
    });
    Shortcuts::add(move |key| match key {
        "j" | "ArrowDown" => {
            context.step(1);
            true
        }
        "k" | "ArrowUp" => {
            context.step(-1);
            true
        }
        "o" => context.toggle_at_cursor(),
        "Escape" => {
            let is_open = context.state.with_untracked(|state| !state.open.is_empty());
            if is_open {
                context.go(true, |state| state.open = String::new());
            }
            is_open
        }
        _ => false,
    });
    view! { <div class="scroll ingest-page">{move || body(context)}</div> }
}

fn body(context: IngestContext) -> AnyView {
    let answer = context.answer;
    let has_answer = Memo::new(move |_| answer.data.with(Option::is_some));
    match (has_answer.get(), answer.error.get()) {
        (false, Some(error)) => view! { <Failure error/> }.into_any(),
        (false, None) => view! { <Skeleton label="Loading the ledger"/> }.into_any(),
        (true, error) => view! {
            {error.map(|error| view! { <FailureLine error/> })}
            <Sums/>
            <Toolbar/>
            <rows::Rows/>
            <since_start::SinceStart/>
        }
        .into_any(),
    }
}

/// What all services come to in the range.
#[component]
fn Sums() -> impl IntoView {
    let context: IngestContext = expect_context();
    let sum = Memo::new(move |_| context.answer.data.with(|answer| answer.as_deref().map(Sum::of).unwrap_or_default()));
    let fact =
        move |title: &'static str, name: &'static str, of: fn(Sum) -> u64, class: &'static str, note: &'static str| {
            let class = move || if of(sum.get()) > 0 { class } else { "" };
            view! {
                <div class="fact" title=note><span class="label">{title}</span>
                    <b class=class data-testid=format!("ingest-{name}")>{move || format::count(of(sum.get()))}</b></div>
            }
        };
    view! {
        <div class="facts" data-testid="ingest-sums">
            {fact("Received", "received", |sum| sum.received, "", "Records of every request that was read")}
            {fact("Stored", "stored", |sum| sum.stored, "", "Records that are on disk")}
            {fact("Duplicate", "duplicate", |sum| sum.duplicate, "", "Records of requests that were sent again: stored once")}
            {fact("Rejected", "rejected", |sum| sum.rejected, "error-text", "Records that could not be stored; the rest of their requests was")}
        </div>
    }
}

/// The filter, how many rows there are, what the answer cost.
#[component]
fn Toolbar() -> impl IntoView {
    let context: IngestContext = expect_context();
    let input = NodeRef::<Input>::new();
    focus_on_slash(input);
    let words = move || {
        let (found, all) = (
            context.rows.with(|rows| rows.len()),
            context.answer.data.with(|answer| answer.as_ref().map_or(0, |answer| answer.services.len())),
        );
        match found {
            found if found > rows::ROWS_MAX => format!("the first {} of {found} rows", rows::ROWS_MAX),
            found if found == all => format::counted(all as u64, "row"),
            found => format!("{found} of {}", format::counted(all as u64, "row")),
        }
    };
    let cost = move || {
        let words = |answer: &Arc<IngestAnswer>| ledger::cost_words(answer);
        context.answer.data.with(|answer| answer.as_ref().map(words))
    };
    view! {
        <div class="toolbar">
            <span class="find">
                {icon(icons::SEARCH)}
                <input class="input" type="search" node_ref=input data-testid="ingest-filter" placeholder="Filter services"
                    aria-label="Filter services by name" autocomplete="off" spellcheck="false"
                    prop:value=move || context.state.with(|state| state.filter.clone())
                    on:input=move |event| {
                        let typed = event_target_value(&event);
                        context.go(true, |state| state.filter = typed);
                    }/>
                <kbd aria-hidden="true">"/"</kbd>
            </span>
            <span class="muted small" role="status" data-testid="ingest-total">{words}</span>
            <span class="gap"></span>
            <span class="faint small cut" data-testid="stats">{cost}</span>
        </div>
    }
}
