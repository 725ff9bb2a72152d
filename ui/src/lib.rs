//! Spyhop's web UI: pages over the HTTP API, rendered in the browser.
//!
//! What can be decided without a browser is in `ui_core`; here are the views and what touches the page: fetching,
//! history, keys, storage. Telemetry is hostile input: it reaches the document as text nodes and attribute values
//! only, never as markup or as the target of a link.
//!
//! Invariants: every state is a URL (`ui_core::state`); the newest question wins and the older one is aborted
//! ([`query`]); old data stays while new data loads; a list builds the rows near its viewport and no others
//! ([`parts::list`]).

mod app;
mod fetch;
mod pages;
mod parts;
mod query;
mod run;
mod session;
mod shell;
mod shortcuts;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;

/// Starts the app in the page's `#app` element. The browser calls it once the module is there.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| {
        web_sys::console::error_1(&panic.to_string().into());
        show_panic();
    }));
    let Some(root) = document().get_element_by_id("app").and_then(|root| root.dyn_into::<web_sys::HtmlElement>().ok())
    else {
        return;
    };
    session::watch_history();
    root.set_text_content(None);
    let _ = root.remove_attribute("aria-busy");
    mount_to(root, app::App).forget();
}

/// After a panic nothing reacts any more: say so instead of a page that looks alive.
fn show_panic() {
    let Some(body) = document().body() else { return };
    let Ok(card) = document().create_element("div") else { return };
    card.set_class_name("panic-card");
    let _ = card.set_attribute("role", "alert");
    card.set_text_content(Some("This page hit a defect and stopped. Reload it; what you looked at is in the address."));
    let _ = body.append_child(&card);
}
