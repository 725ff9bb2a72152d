//! Small parts the pages are made of.

pub mod download;
pub mod editor;
pub mod fields;
pub mod icons;
pub mod list;
pub mod nothing_sent;
pub mod panel;
pub mod query_bar;
pub mod red;
pub mod size;
pub mod states;
pub mod time_chart;

use leptos::prelude::*;

use crate::session::Session;

/// A service's dot and name.
pub fn service_tag(session: Session, name: &str) -> impl IntoView + use<> {
    let class = format!("dot slot-{}", session.slot(name));
    view! { <span class="service" title=name.to_owned()><i class=class aria-hidden="true"></i><span class="cut">{name.to_owned()}</span></span> }
}

/// A button that copies a text and says so.
#[component]
pub fn CopyButton(
    /// The text, made when it is needed.
    text: Callback<(), String>,
    /// What is copied, for those who do not see the icon.
    label: &'static str,
    /// Word beside the icon; empty for none.
    #[prop(optional)]
    word: &'static str,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |event: leptos::ev::MouseEvent| {
        event.stop_propagation();
        let _ = window().navigator().clipboard().write_text(&text.run(()));
        copied.set(true);
        set_timeout(
            move || {
                copied.try_set(false);
            },
            std::time::Duration::from_millis(1_500),
        );
    };
    view! {
        <button type="button" class="button quiet" class:icon-only=word.is_empty() on:click=copy title=label
            aria-label=label>
            {move || if copied.get() { icons::icon(icons::CHECK) } else { icons::icon(icons::COPY) }}
            {(!word.is_empty()).then(|| view! { <span>{move || if copied.get() { "Copied" } else { word }}</span> })}
        </button>
    }
}

/// Where across an element a pointer is, 0 to 1.
pub fn share_at(node: NodeRef<leptos::html::Div>, client_x: i32) -> f64 {
    node.get_untracked().map_or(0.0, |element| {
        let rect = element.get_bounding_client_rect();
        ((f64::from(client_x) - rect.left()) / rect.width().max(1.0)).clamp(0.0, 1.0)
    })
}

/// Makes the element hear of the pointer until it is released, wherever it goes.
pub fn capture_pointer(node: NodeRef<leptos::html::Div>, event: &leptos::ev::PointerEvent) {
    event.prevent_default();
    if let Some(element) = node.get_untracked() {
        let _ = element.set_pointer_capture(event.pointer_id());
    }
}

/// Runs `tick` every so often while the tab is seen, for as long as the calling part lives.
pub fn every(period: std::time::Duration, tick: impl Fn() + 'static) {
    let run = move || {
        let hidden = js_sys::Reflect::get(&document(), &"hidden".into()).is_ok_and(|hidden| hidden.is_truthy());
        if !hidden {
            tick();
        }
    };
    if let Ok(handle) = set_interval_with_handle(run, period) {
        on_cleanup(move || handle.clear());
    }
}
