//! The time range: what it is, and a popover to change it.

use leptos::html::{Div, Input};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use ui_core::format;
use ui_core::params::Params;
use ui_core::range::{self, PRESETS, RangeText};
use ui_core::state;
use wasm_bindgen::JsCast;

use crate::parts::icons::{self, icon};
use crate::session::{self, Navigator, Session};
use crate::shortcuts::Shortcuts;

/// The button and its popover.
#[component]
pub fn TimePicker() -> impl IntoView {
    let session = Session::get();
    let open = RwSignal::new(false);
    let location = use_location();
    let search = location.search;
    let range = Memo::new(move |_| search.with(|search| state::read_range(&Params::parse(search))));
    let words = move || {
        session.reloads.track();
        let range = range.get();
        let window = range.resolve_or_default(session::now());
        let offset = session.offset_minutes(window.end);
        let from =
            format::window_end(window.start, window.length(), session::now(), session.offset_minutes(window.start));
        let to = format::window_end(window.end, window.length(), session::now(), offset);
        (range.label(), format!("{from} – {to} {}", format::zone(offset)))
    };
    Shortcuts::add(move |key| match key {
        "t" => {
            open.set(true);
            true
        }
        "Escape" if open.get_untracked() => {
            open.set(false);
            true
        }
        _ => false,
    });
    view! {
        <div class="picker">
            <button type="button" class="button" data-testid="time-range" aria-haspopup="dialog"
                title="Choose the time range (t)"
                aria-expanded=move || open.get().to_string() on:click=move |_| open.update(|open| *open = !*open)>
                {move || words().0.map(|label| view! { <span>{label}</span> })}
                <span class="faint times">{move || words().1}</span>
                {icon(icons::DOWN)}
            </button>
            <Show when=move || open.get()><Popover open range=range.into()/></Show>
        </div>
    }
}

#[component]
fn Popover(open: RwSignal<bool>, range: Signal<RangeText>) -> impl IntoView {
    let session = Session::get();
    let navigator = Navigator::get();
    let location = use_location();
    let node = NodeRef::<Div>::new();
    let input = NodeRef::<Input>::new();
    let wrong = RwSignal::new(None::<String>);
    let choose = move |chosen: RangeText| {
        let mut params = Params::parse(&location.search.get_untracked());
        state::write_range(&mut params, &chosen);
        open.set(false);
        navigator.push(&params.behind(&location.pathname.get_untracked()));
    };
    let typed = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let text = input.get_untracked().map(|input| input.value()).unwrap_or_default();
        let is_utc = session.is_utc.get_untracked();
        let offset = move |time| if is_utc { 0 } else { session::browser_offset_minutes(time) };
        match range::parse_input(&text, session::now(), &offset) {
            Ok(chosen) => choose(chosen),
            Err(reason) => wrong.set(Some(reason)),
        }
    };
    let window = move || range.get_untracked().resolve_or_default(session::now());
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            let _ = input.focus();
        }
    });
    close_from_outside(open, node);
    let presets = PRESETS.iter().map(|(name, from)| {
        let is_chosen = move || range.with(|range| range.from == *from && range.to == "now");
        view! {
            <button type="button" class="preset" class:on=is_chosen aria-pressed=move || is_chosen().to_string()
                on:click=move |_| choose(RangeText::last(from))>{*name}</button>
        }
    });
    let absolute = move || {
        let text = range.get().resolve_or_default(session::now()).to_text();
        format!("{} to {}", text.from, text.to)
    };
    view! {
        <div class="popover" node_ref=node role="dialog" aria-label="Time range" data-testid="time-range-popover">
            <form class="popover-custom" on:submit=typed>
                <label class="label" for="range-input">"Range: 15m, now-6h to now-1h, yesterday, or two times"</label>
                <div class="line">
                    <input id="range-input" node_ref=input class="input mono" type="text"
                        data-testid="time-range-input" autocomplete="off" spellcheck="false"
                        aria-describedby="range-error" placeholder="2026-08-01 10:00 to 11:00"/>
                    <button type="submit" class="button primary">"Apply"</button>
                </div>
                <p id="range-error" class="input-error" role="status">{move || wrong.get()}</p>
            </form>
            <div class="presets">{presets.collect_view()}</div>
            <div class="line">
                <button type="button" class="button"
                    on:click=move |_| choose(window().shifted(false).to_text())>{icon(icons::LEFT)}"Earlier"</button>
                <button type="button" class="button"
                    on:click=move |_| choose(window().zoomed_out().to_text())>"Zoom out"</button>
                <button type="button" class="button"
                    on:click=move |_| choose(window().shifted(true).to_text())>"Later"{icon(icons::RIGHT)}</button>
            </div>
            <Zone/>
            <p class="mono faint popover-absolute">{absolute}</p>
        </div>
    }
}

/// Which zone times are shown in, and the other choice.
#[component]
fn Zone() -> impl IntoView {
    let session = Session::get();
    let words = move || match session.is_utc.get() {
        true => "Times in UTC".to_owned(),
        false => {
            let browser = format::zone(session::browser_offset_minutes(session::now()));
            format!("Times in this browser's zone, {browser}")
        }
    };
    view! {
        <div class="popover-zone">
            <span class="muted">{words}</span>
            <button type="button" class="button quiet" on:click=move |_| session.toggle_zone()>
                {move || if session.is_utc.get() { "Use the browser's zone" } else { "Use UTC" }}
            </button>
        </div>
    }
}

/// A click anywhere else closes the popover.
fn close_from_outside(open: RwSignal<bool>, node: NodeRef<Div>) {
    let outside = window_event_listener(leptos::ev::pointerdown, move |event| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        let picker = node.get_untracked().and_then(|node| node.parent_element());
        if picker.is_some_and(|picker| !picker.contains(target.as_ref())) {
            open.set(false);
        }
    });
    on_cleanup(move || outside.remove());
}
