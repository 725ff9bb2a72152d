//! SQL: an editor that knows tables and columns, results as a table, download as CSV.
//!
//! The query that was run is in the URL; what is being typed is not, until it is run.

mod results;
mod row_panel;
mod schema;

use std::ops::Range;
use std::sync::Arc;

use api::{SqlAnswer, SqlRequest, paths};
use leptos::html::Textarea;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use ui_core::completion::Completion;
use ui_core::sql::{self, EXAMPLES, LexemeKind, Schema, SqlState};
use ui_core::state::UrlState;

use crate::fetch;
use crate::parts::editor::{Editor, Fault};
use crate::parts::list::Scroll;
use crate::parts::states::{Failure, Skeleton};
use crate::query::{Ask, Phase, Query, use_query_latest};
use crate::session::{self, Navigator, Session};
use crate::shortcuts::Shortcuts;

/// Height of a row in pixels; the style sheet's `--row` says the same.
const ROW_HEIGHT: f64 = 24.0;
/// Milliseconds for which the list of tables is not asked for again.
const SCHEMA_AGE_MAX: f64 = 600_000.0;

/// What the parts of the page share; handles, cheap to copy.
#[derive(Clone, Copy)]
struct SqlContext {
    session: Session,
    navigator: Navigator,
    search: Memo<String>,
    state: Memo<SqlState>,
    /// What is being typed.
    text: RwSignal<String>,
    editor: NodeRef<Textarea>,
    answer: Query<SqlAnswer>,
    is_cancelled: RwSignal<bool>,
    schema: Memo<Arc<Schema>>,
    cursor: RwSignal<Option<usize>>,
    /// Row shown in full beside the table.
    opened: RwSignal<Option<usize>>,
    scroll: Scroll,
}

impl SqlContext {
    /// Runs what is typed.
    fn run(self) {
        let query = self.text.get_untracked().trim().to_owned();
        if query.is_empty() {
            return;
        }
        self.is_cancelled.set(false);
        if self.state.with_untracked(|state| state.query == query) {
            self.session.reloads.update(|n| *n += 1);
        } else {
            self.navigator.push(&SqlState { query }.url_over(&self.search.get_untracked()));
        }
    }

    /// Puts another query into the editor and runs it.
    fn replace(self, query: &str) {
        self.text.set(query.to_owned());
        self.run();
    }

    /// Writes at the caret.
    fn insert(self, words: &str) {
        let Some(node) = self.editor.get_untracked() else { return };
        let _ = node.focus();
        let (start, end) = (node.selection_start().ok().flatten(), node.selection_end().ok().flatten());
        let end_of_text = node.text_length();
        let (start, end) = (start.unwrap_or(end_of_text), end.unwrap_or(end_of_text));
        let _ = node.set_range_text_with_start_and_end(words, start, end);
        let caret = start + words.encode_utf16().count() as u32;
        let _ = node.set_selection_range(caret, caret);
        self.text.set(node.value());
    }

    fn step(self, by: i64) {
        let rows = self.answer.data.with_untracked(|answer| answer.as_ref().map_or(0, |answer| answer.rows.len()));
        if let Some(row) = ui_core::window::step(self.cursor.get_untracked(), by, rows) {
            self.cursor.set(Some(row));
            self.scroll.show(row);
            if self.opened.get_untracked().is_some() {
                self.opened.set(Some(row));
            }
        }
    }
}

/// The page.
#[component]
pub fn SqlPage() -> impl IntoView {
    let session = Session::get();
    session.title.set("SQL".to_owned());
    let search = use_location().search;
    let state = Memo::new(move |_| search.with(|search| SqlState::parse(search)));
    let is_cancelled = RwSignal::new(false);
    let first_reload = session.reloads.get_untracked();
    let answer = use_query_latest::<SqlAnswer>(
        move || {
            let query = state.with(|state| state.query.clone());
            let reloads = session.reloads.get();
            let is_asked = !query.is_empty() && !is_cancelled.get();
            let age = if session::take_restored() && reloads == first_reload { f64::INFINITY } else { 0.0 };
            is_asked.then(|| Ask { body: Some(body_of(query)), ..Ask::kept(format!("{}#{reloads}", paths::SQL), age) })
        },
        fetch::decode,
    );
    let tables = use_query_latest::<SqlAnswer>(
        || {
            Some(Ask {
                body: Some(body_of(Schema::QUERY.to_owned())),
                ..Ask::kept(paths::SQL.to_owned(), SCHEMA_AGE_MAX)
            })
        },
        fetch::decode,
    );
    let schema =
        Memo::new(move |_| Arc::new(tables.data.with(|answer| answer.as_deref().map(Schema::of).unwrap_or_default())));
    let context = SqlContext {
        session,
        navigator: Navigator::get(),
        search,
        state,
        text: RwSignal::new(String::new()),
        editor: NodeRef::new(),
        answer,
        is_cancelled,
        schema,
        cursor: RwSignal::new(None),
        opened: RwSignal::new(None),
        scroll: Scroll::new(ROW_HEIGHT),
    };
    provide_context(context);
    Effect::new(move |_| {
        let query = state.with(|state| state.query.clone());
        is_cancelled.set(false);
        // An address without a query is the page's start; it takes nothing away from what is typed.
        if !query.is_empty() && context.text.with_untracked(|text| text.trim() != query) {
            context.text.set(query);
        }
    });
    Effect::new(move |_| {
        answer.data.track();
        context.cursor.set(None);
        context.opened.set(None);
        context.scroll.to(0.0);
    });
    keys(context);
    let has_panel = Memo::new(move |_| context.opened.get().is_some());
    view! {
        <div class="sql">
            <schema::Tables/>
            <div class="sql-main">
                <Question/>
                <div class="sql-body" class:with-panel=move || has_panel.get()>
                    <section class="sql-result" aria-label="Result">{move || body(context)}</section>
                    <Show when=move || has_panel.get()><row_panel::RowPanel/></Show>
                </div>
            </div>
        </div>
    }
}

fn body_of(query: String) -> String {
    serde_json::to_string(&SqlRequest { query, limit: None }).unwrap_or_default()
}

fn keys(context: SqlContext) {
    Shortcuts::add(move |key| match key {
        "j" | "ArrowDown" => {
            context.step(1);
            true
        }
        "k" | "ArrowUp" => {
            context.step(-1);
            true
        }
        "Enter" | "o" => {
            context.opened.set(context.cursor.get_untracked());
            context.cursor.get_untracked().is_some()
        }
        "Escape" if context.opened.get_untracked().is_some() => {
            context.opened.set(None);
            true
        }
        "/" => {
            if let Some(node) = context.editor.get_untracked() {
                let _ = node.focus();
            }
            true
        }
        _ => false,
    });
}

/// The editor with what can be done with its text.
#[component]
fn Question() -> impl IntoView {
    let context: SqlContext = expect_context();
    let complete = Callback::new(move |(text, caret): (String, usize)| -> Completion {
        sql::complete(&text, caret, &context.schema.get_untracked())
    });
    // An error is about the query that was run: once the text differs, it may no longer hold.
    let fault = Signal::derive(move || -> Fault {
        let error = context.answer.error.get()?;
        let typed = context.text.get();
        let is_same = context.state.with(|state| state.query == typed.trim());
        let query_starts = typed.len() - typed.trim_start().len();
        let position = error.position.or_else(|| sql::position_in_words(typed.trim(), &error.detail));
        is_same.then(|| (error.detail.clone(), position.map(|at| at + query_starts)))
    });
    let loads = move || context.answer.phase.get() == Phase::Loading;
    let pick = move |event| {
        let chosen = event_target_value(&event);
        if let Some(example) = EXAMPLES.iter().find(|example| example.title == chosen) {
            context.replace(example.query);
        }
    };
    let options = EXAMPLES.iter().map(|example| view! { <option value=example.title>{example.title}</option> });
    view! {
        <div class="sql-question">
            <Editor text=context.text label="SQL query" placeholder="SELECT … FROM logs, spans, points …"
                testid="sql-editor" colours complete submit=Callback::new(move |()| context.run()) fault
                node=context.editor/>
            {move || fault.get().map(|(message, _)| view! {
                <p class="sql-fault" role="alert" data-testid="sql-error">{message}</p>
            })}
            <div class="sql-tools">
                <button type="button" class="button primary" data-testid="sql-run" title="Run (Ctrl+Enter)"
                    on:click=move |_| context.run()>"Run"</button>
                <Show when=loads>
                    <button type="button" class="button" data-testid="sql-cancel"
                        on:click=move |_| context.is_cancelled.set(true)>"Cancel"</button>
                </Show>
                <select class="input" aria-label="Examples" data-testid="sql-examples" prop:value="" on:change=pick>
                    <option value="">"Examples"</option>
                    {options.collect_view()}
                </select>
                <span class="gap"></span>
                <span class="faint hint-keys"><kbd>"Ctrl"</kbd>" "<kbd>"Enter"</kbd>" runs, "<kbd>"Ctrl"</kbd>" "<kbd>"Space"</kbd>" completes"</span>
            </div>
        </div>
    }
}

fn colours(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let class = |kind| match kind {
        LexemeKind::Keyword => "q-word",
        LexemeKind::Text => "q-quoted",
        LexemeKind::Number => "q-field",
        LexemeKind::Comment | LexemeKind::Mark => "q-mark",
        LexemeKind::Name => "",
    };
    sql::lex(text).into_iter().map(|(kind, range)| (class(kind), range)).collect()
}

fn body(context: SqlContext) -> AnyView {
    let answer = context.answer;
    let asked = context.state.with(|state| !state.query.is_empty());
    let has_answer = answer.data.with(Option::is_some);
    let error = answer.error.get();
    match (asked, error, has_answer) {
        (false, ..) => view! { <Start/> }.into_any(),
        // A fault in the text is said at the text.
        (true, Some(error), _) if error.status == 400 => ().into_any(),
        (true, Some(error), _) => view! { <Failure error/> }.into_any(),
        (true, None, true) => view! { <results::Results/> }.into_any(),
        (true, None, false) if answer.phase.get() == Phase::Done => view! { <Start/> }.into_any(),
        (true, None, false) => view! { <Skeleton label="Running the query"/> }.into_any(),
    }
}

/// What to ask, for those who see the page for the first time.
#[component]
fn Start() -> impl IntoView {
    let context: SqlContext = expect_context();
    let cards = EXAMPLES.iter().map(|example| {
        view! {
            <button type="button" class="card sql-example" data-testid="sql-example"
                on:click=move |_| context.replace(example.query)>
                <b>{example.title}</b><pre class="mono muted">{example.query}</pre>
            </button>
        }
    });
    view! {
        <div class="scroll" data-testid="sql-start">
            <p class="muted pad">"Read-only SQL over everything stored, the last second included. Begin with one of these, or click a table on the left."</p>
            <div class="sql-examples">{cards.collect_view()}</div>
        </div>
    }
}
