//! Find, and what the waterfall shows.

use std::collections::HashSet;
use std::time::Duration;

use leptos::html::Input;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;

use super::TraceContext;
use crate::parts::icons::{self, icon};
use crate::shortcuts::focus_on_slash;

/// How long typing must pause before it is looked for.
const PAUSE: Duration = Duration::from_millis(120);

/// The toolbar.
#[component]
pub fn Toolbar() -> impl IntoView {
    let context: TraceContext = expect_context();
    let state = context.state;
    let shows_logs = move || state.with(|state| !state.hides_logs);
    let logs = move || context.trace.data.with(|data| data.as_ref().map_or(0, |data| data.document.logs.len()));
    view! {
        <div class="toolbar">
            <button type="button" class="button" class:on=shows_logs aria-pressed=move || shows_logs().to_string()
                disabled=move || logs() == 0
                data-testid="logs-inline" title="Log records under their spans (i)"
                on:click=move |_| context.go(true, |state| state.hides_logs = !state.hides_logs)>{move || format!("Logs inline {}", logs())}</button>
            <button type="button" class="button" title="Collapse all ([)"
                on:click=move |_| context.collapse_all()>"Collapse"</button>
            <button type="button" class="button" title="Expand all (])"
                on:click=move |_| context.collapsed.set(HashSet::new())>"Expand"</button>
            <Find/>
            <Show when=move || state.with(|state| state.zoom.is_some())>
                <button type="button" class="button on" data-testid="zoom-reset" title="Show the whole trace (Esc)"
                    on:click=move |_| context.go(false, |state| state.zoom = None)>"Zoomed"{icon(icons::CLOSE)}</button>
            </Show>
            <span class="gap"></span>
            <span class="faint hint-keys">"e next error · j k rows · Enter open"</span>
        </div>
    }
}

#[component]
fn Find() -> impl IntoView {
    let context: TraceContext = expect_context();
    let state = context.state;
    let node = NodeRef::<Input>::new();
    let pending = StoredValue::new_local(None::<TimeoutHandle>);
    let typed = move |event| {
        let text = event_target_value(&event);
        if let Some(Some(handle)) = pending.try_update_value(Option::take) {
            handle.clear();
        }
        let search = move || context.go(true, |state| state.find = text);
        pending.set_value(set_timeout_with_handle(search, PAUSE).ok());
    };
    let keydown = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Enter" {
            event.prevent_default();
            context.next_match(!event.shift_key());
        }
    };
    focus_on_slash(node);
    let is_finding = move || state.with(|state| !state.find.is_empty());
    let words = move || {
        let matches = context.matches.get();
        let here = context.cursor.get().and_then(|_| context.span_at_cursor());
        let at = here.and_then(|span| matches.iter().position(|found| *found == span));
        match (matches.len(), at) {
            (0, _) => "no match".to_owned(),
            (count, Some(at)) => format!("{} of {count}", at + 1),
            (count, None) => format!("{count} spans"),
        }
    };
    view! {
        <div class="find" role="search">
            {icon(icons::SEARCH)}
            <input node_ref=node type="text" class="input" data-testid="trace-find"
                aria-label="Find in the trace" placeholder="Find in trace" spellcheck="false" autocomplete="off"
                prop:value=move || state.with(|state| state.find.clone()) on:input=typed on:keydown=keydown/>
            <Show when=is_finding fallback=|| view! { <kbd aria-hidden="true">"/"</kbd> }>
                <span class="faint" role="status" data-testid="trace-matches">{words}</span>
                <button type="button" class="button quiet icon-only" aria-label="Previous match"
                    title="Previous match (N)" on:click=move |_| context.next_match(false)>{icon(icons::UP)}</button>
                <button type="button" class="button quiet icon-only" aria-label="Next match" title="Next match (n)"
                    on:click=move |_| context.next_match(true)>{icon(icons::DOWN)}</button>
            </Show>
        </div>
    }
}
