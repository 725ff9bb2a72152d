//! Keys. One listener for the page; parts add what they answer to, the last added is asked first.

use std::rc::Rc;
use std::time::Duration;

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

type Answer = Rc<dyn Fn(&str) -> bool>;

/// The keys of the page; a handle, cheap to copy.
#[derive(Clone, Copy)]
pub struct Shortcuts {
    answers: StoredValue<Vec<(u64, Answer)>, LocalStorage>,
    next: StoredValue<u64>,
    /// Whether `g` was just pressed.
    goes: RwSignal<bool>,
}

/// What the sheet of shortcuts shows: keys and what they do.
pub const SHEET: &[(&str, &[(&str, &str)])] = &[
    (
        "Everywhere",
        &[
            ("g l", "Go to logs"),
            ("g t", "Go to traces"),
            ("g s", "Go to services"),
            ("g m", "Go to metrics"),
            ("g q", "Go to SQL"),
            ("g i", "Go to Ingest"),
            ("g c", "Go to Connect"),
            ("t", "Choose the time range"),
            ("r", "Fetch fresh data"),
            ("/", "Filter, or find in the trace"),
            ("Esc", "Close what is open"),
            ("?", "This sheet"),
        ],
    ),
    ("Lists", &[("j  k", "Next and previous row"), ("Enter", "Open the row")]),
    ("Logs", &[("l", "Live on and off")]),
    ("Services", &[("e", "Open the latest error of the row")]),
    ("Map", &[("← → ↑ ↓", "Next node that way"), ("Enter", "Look at the node")]),
    (
        "Trace",
        &[
            ("e", "Next error"),
            ("n  N", "Next and previous match"),
            ("[  ]", "Collapse and expand all"),
            ("x", "Collapse or expand the row"),
            ("i", "Log records inline on and off"),
        ],
    ),
];

impl Shortcuts {
    /// Listens from now on.
    pub fn start() -> Shortcuts {
        let shortcuts = Shortcuts {
            answers: StoredValue::new_local(Vec::new()),
            next: StoredValue::new(0),
            goes: RwSignal::new(false),
        };
        let handle = window_event_listener(leptos::ev::keydown, move |event| shortcuts.press(&event));
        on_cleanup(move || handle.remove());
        shortcuts
    }

    /// Adds an answer for as long as the calling part lives. It says whether it took the key; `g l` arrives as
    /// `"g l"`, Escape while typing as `"Escape"`.
    pub fn add(answer: impl Fn(&str) -> bool + 'static) {
        let shortcuts: Shortcuts = expect_context();
        let id = shortcuts.next.get_value();
        shortcuts.next.set_value(id + 1);
        let answer: Answer = Rc::new(answer);
        shortcuts.answers.update_value(|answers| answers.push((id, answer)));
        on_cleanup(move || {
            shortcuts.answers.try_update_value(|answers| answers.retain(|(known, _)| *known != id));
        });
    }

    fn press(self, event: &KeyboardEvent) {
        if event.ctrl_key() || event.meta_key() || event.alt_key() || event.default_prevented() || event.is_composing()
        {
            return;
        }
        let key = event.key();
        if is_typing() && (key != "Escape" || (!is_in_panel() && leave_typing())) {
            return;
        }
        // A focused button or link answers to Enter itself, and arrows scroll the panel they are in.
        if (key == "Enter" && is_on_control()) || (key.starts_with("Arrow") && is_in_panel()) {
            return;
        }
        let key = match (self.goes.get_untracked(), key.as_str()) {
            (true, second) => format!("g {second}"),
            (false, "g") => {
                self.goes.set(true);
                set_timeout(move || self.goes.set(false), Duration::from_millis(1_000));
                return;
            }
            (false, first) => first.to_owned(),
        };
        self.goes.set(false);
        let answers = self.answers.with_value(Clone::clone);
        if answers.iter().rev().any(|(_, answer)| answer(&key)) {
            event.prevent_default();
        }
    }
}

/// Leads `/` to an input: its text is selected, so that typing replaces it.
pub fn focus_on_slash(input: NodeRef<leptos::html::Input>) {
    Shortcuts::add(move |key| {
        if let ("/", Some(input)) = (key, input.get_untracked()) {
            let _ = input.focus();
            input.select();
        }
        key == "/"
    });
}

fn focused() -> Option<web_sys::Element> {
    document().active_element()
}

fn is_typing() -> bool {
    focused().is_some_and(|element| {
        let tag = element.tag_name();
        let kind = element.get_attribute("type").unwrap_or_default();
        tag == "TEXTAREA" || tag == "SELECT" || (tag == "INPUT" && kind != "checkbox" && kind != "radio")
    })
}

fn is_on_control() -> bool {
    focused().is_some_and(|element| matches!(element.tag_name().as_str(), "A" | "BUTTON" | "SUMMARY" | "INPUT"))
}

fn is_in_panel() -> bool {
    focused().is_some_and(|element| element.closest(".panel, .popover, .dialog").is_ok_and(|panel| panel.is_some()))
}

/// Takes the focus from what is being typed into; says whether there was anything.
fn leave_typing() -> bool {
    let typed = focused().filter(|_| is_typing()).and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    typed.is_some_and(|element| element.blur().is_ok())
}
