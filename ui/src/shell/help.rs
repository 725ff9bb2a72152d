//! The sheet of shortcuts.

use leptos::html::Button;
use leptos::prelude::*;

use crate::parts::icons::{self, icon};
use crate::session::Session;
use crate::shortcuts::{SHEET, Shortcuts};

/// The sheet, while it is open.
#[component]
pub fn Help() -> impl IntoView {
    let session = Session::get();
    let shown = session.shows_help;
    view! { <Show when=move || shown.get()><Sheet/></Show> }
}

#[component]
fn Sheet() -> impl IntoView {
    let shown = Session::get().shows_help;
    let close = NodeRef::<Button>::new();
    Effect::new(move |_| {
        if let Some(button) = close.get() {
            let _ = button.focus();
        }
    });
    Shortcuts::add(move |key| {
        if key == "Escape" {
            shown.set(false);
        }
        key == "Escape"
    });
    let group = |(title, keys): &(&'static str, &'static [(&'static str, &'static str)])| {
        let rows = keys.iter().map(|(key, what)| {
            let keys =
                key.split(' ').filter(|key| !key.is_empty()).map(|key| view! { <kbd>{key}</kbd> }).collect_view();
            view! { <dt>{keys}</dt><dd>{*what}</dd> }
        });
        view! { <section><h3 class="label">{*title}</h3><dl class="keys">{rows.collect_view()}</dl></section> }
    };
    view! {
        <div class="backdrop" on:click=move |_| shown.set(false)></div>
        <div class="dialog" role="dialog" aria-modal="true" aria-labelledby="help-title" data-testid="shortcuts">
            <div class="dialog-head">
                <h2 id="help-title">"Shortcuts"</h2>
                <button type="button" node_ref=close class="button quiet icon-only" aria-label="Close"
                    on:click=move |_| shown.set(false)>{icon(icons::CLOSE)}</button>
            </div>
            <div class="dialog-body">{SHEET.iter().map(group).collect_view()}</div>
        </div>
    }
}
