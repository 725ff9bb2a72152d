//! The filter's input: coloured as it is typed, read by the server's own parser, its error shown where it is.

use api::filter::{self, LexemeKind, Target};
use leptos::html::Input;
use leptos::prelude::*;

use crate::parts::icons::{self, icon};
use crate::session::Navigator;
use crate::shortcuts::focus_on_slash;

/// The input. It runs on Enter; a trace id alone leads to its trace.
#[component]
pub fn QueryBar(
    /// The filter in force.
    #[prop(into)]
    query: Signal<String>,
    /// Runs a filter.
    run: Callback<String>,
    /// What the filter is about.
    target: Target,
    /// What the input is, for those who do not see it.
    label: &'static str,
    /// Shown while it is empty.
    placeholder: &'static str,
    /// What the server said of the filter in force, and where.
    #[prop(into)]
    server_error: Signal<Option<(String, Option<usize>)>>,
) -> impl IntoView {
    let navigator = Navigator::get();
    let text = RwSignal::new(query.get_untracked());
    let left = RwSignal::new(0);
    let node = NodeRef::<Input>::new();
    Effect::new(move |_| text.set(query.get()));
    let error = Memo::new(move |_| {
        let typed = text.get();
        let local = filter::parse(&typed, target).err().map(|error| (error.to_string(), Some(error.position)));
        local.or_else(|| server_error.get().filter(|_| query.with(|query| *query == typed)))
    });
    let run_typed = Callback::new(move |()| {
        let typed = text.get_untracked().trim().to_owned();
        match is_trace_id(&typed) {
            true => navigator.push(&ui_core::state::trace_path(&typed.to_lowercase())),
            false if error.with_untracked(|error| error.as_ref().is_none_or(|(_, at)| at.is_none())) => run.run(typed),
            false => {}
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        run_typed.run(());
    };
    focus_on_slash(node);
    let sync_scroll = move || {
        if let Some(input) = node.get_untracked() {
            left.set(input.scroll_left());
        }
    };
    let typed = move |event| {
        text.set(event_target_value(&event));
        request_animation_frame(sync_scroll);
    };
    let problem = move || error.get().map(|(message, position)| problem(&text.get(), message, position, left.get()));
    let is_changed = move || text.with(|text| query.with(|query| text.trim() != query));
    view! {
        <form class="query" role="search" on:submit=submit>
            <div class="query-box mono" class:wrong=move || error.with(Option::is_some)>
                {icon(icons::SEARCH)}
                <div class="query-field">
                    <div class="query-colours" aria-hidden="true">
                        <div style=move || format!("transform:translateX({}px)", -left.get())>{move || coloured(&text.get())}</div>
                    </div>
                    <input node_ref=node class="query-input" data-testid="query-input" type="text" aria-label=label
                        aria-invalid=move || error.with(Option::is_some).to_string() aria-describedby="query-error"
                        placeholder=placeholder autocomplete="off" autocapitalize="off" spellcheck="false"
                        prop:value=move || text.get() on:input=typed
                        on:scroll=move |_| sync_scroll() on:keyup=move |_| sync_scroll()/>
                    <div id="query-error" class="query-error" data-testid="query-error" role="status">
                        {problem}
                    </div>
                </div>
                <Show when=move || text.with(|text| !text.is_empty())>
                    <button type="button" class="button quiet icon-only" aria-label="Clear the filter"
                        title="Clear the filter"
                        on:click=move |_| { text.set(String::new()); run.run(String::new()); }>{icon(icons::CLOSE)}</button>
                </Show>
                <kbd aria-hidden="true">{move || if is_changed() { "Enter" } else { "/" }}</kbd>
            </div>
        </form>
    }
}

fn is_trace_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What is wrong, and a mark under where.
fn problem(text: &str, message: String, position: Option<usize>, left: i32) -> impl IntoView + use<> {
    let column = position.map_or(0, |at| column_of(text, at));
    let style = format!("left:calc({column}ch - {left}px)");
    view! { <span class="query-caret" style=style></span><span class="query-message">{message}</span> }
}

/// Characters before a byte offset: the input's font has one width.
fn column_of(text: &str, at: usize) -> usize {
    text.char_indices().take_while(|(index, _)| *index < at).count()
}

/// The text in coloured pieces, exactly as long as the text itself.
fn coloured(text: &str) -> impl IntoView + use<> {
    let mut pieces = Vec::new();
    let mut done = 0;
    for lexeme in filter::lex(text) {
        let (start, end) = (lexeme.range.start.min(text.len()), lexeme.range.end.min(text.len()));
        let (Some(gap), Some(piece)) = (text.get(done.min(start)..start), text.get(start..end)) else { continue };
        let class = match lexeme.kind {
            LexemeKind::Field => "q-field",
            LexemeKind::And | LexemeKind::Or | LexemeKind::Not => "q-word",
            LexemeKind::Open | LexemeKind::Close | LexemeKind::Comparison => "q-mark",
            LexemeKind::Quoted => "q-quoted",
            LexemeKind::Word => "",
        };
        pieces.push(("", gap.to_owned()));
        pieces.push((class, piece.to_owned()));
        done = end;
    }
    pieces.push(("", text.get(done..).unwrap_or_default().to_owned()));
    pieces.into_iter().map(|(class, piece)| view! { <span class=class>{piece}</span> }).collect_view()
}
