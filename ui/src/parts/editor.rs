//! A text being written: coloured as it is typed, completed at the caret, its fault shown where it is.
//!
//! It is a plain text area whose own letters are transparent, over the same text in colours; so caret, selection,
//! undo and input methods are the browser's. Its lines do not wrap and its font has one width, so that a place in the
//! text is a place on the screen.

use std::ops::Range;

use leptos::html::Textarea;
use leptos::prelude::*;
use ui_core::completion::{Completion, byte_offset, line_and_column, utf16_offset};
use wasm_bindgen::JsCast;
use web_sys::HtmlTextAreaElement;

/// Height of a line in pixels; the style sheet's `.editor` says the same.
const LINE_HEIGHT: f64 = 18.0;
/// Space around the text in pixels; the style sheet says the same.
const PADDING: f64 = 6.0;
/// Characters that call for completion though no word was begun.
const CALLS: [char; 2] = ['.', ':'];

/// Pieces of a text with their classes, in order; what lies between has none.
pub type Colours = fn(&str) -> Vec<(&'static str, Range<usize>)>;

/// A fault: what, and at which byte where that is known.
pub type Fault = Option<(String, Option<usize>)>;

/// What an open list of candidates offers.
#[derive(Clone, PartialEq, Default)]
struct Offer {
    completion: Completion,
    chosen: usize,
    /// Where the list stands, in characters and lines.
    column: usize,
    line: usize,
}

/// The editor's own state; handles, cheap to copy.
#[derive(Clone, Copy)]
struct EditorContext {
    node: NodeRef<Textarea>,
    text: RwSignal<String>,
    offer: RwSignal<Option<Offer>>,
    scrolled: RwSignal<(i32, i32)>,
    complete: Callback<(String, usize), Completion>,
    submit: Callback<()>,
    is_single: bool,
}

impl EditorContext {
    fn caret(self) -> Option<(HtmlTextAreaElement, usize)> {
        let node = self.node.get_untracked()?;
        let at = node.selection_start().ok().flatten()? as usize;
        let byte = self.text.with_untracked(|text| byte_offset(text, at));
        Some((node, byte))
    }

    /// Offers what fits at the caret; `asked` offers even where no word was begun.
    fn offer(self, asked: bool) {
        let Some((_, caret)) = self.caret() else { return };
        let text = self.text.get_untracked();
        let is_called = asked || text[..caret].chars().next_back().is_some_and(|c| CALLS.contains(&c));
        let completion = self.complete.run((text.clone(), caret));
        let is_shown = !completion.candidates.is_empty() && (is_called || !completion.range.is_empty());
        let (line, column) = line_and_column(&text, completion.range.start);
        self.offer.set(is_shown.then_some(Offer { completion, chosen: 0, column, line }));
    }

    fn choose(self, by: i64) {
        self.offer.update(|offer| {
            if let Some(offer) = offer {
                let last = offer.completion.candidates.len() as i64;
                offer.chosen = (offer.chosen as i64 + by).rem_euclid(last.max(1)) as usize;
            }
        });
        request_animation_frame(|| {
            let chosen = document().query_selector(".editor-offer [aria-selected=true]").ok().flatten();
            if let Some(element) = chosen {
                element.scroll_into_view_with_bool(false);
            }
        });
    }

    fn accept(self, index: Option<usize>) {
        let Some(offer) = self.offer.get_untracked() else { return };
        self.offer.set(None);
        let Some(candidate) = offer.completion.candidates.get(index.unwrap_or(offer.chosen)) else { return };
        if let Some(node) = self.node.get_untracked() {
            let text = self.text.get_untracked();
            replace(&node, &text, &offer.completion.range, &candidate.insert);
            self.text.set(node.value());
            if candidate.insert.ends_with(CALLS) {
                self.offer(true);
            } else {
                self.offer.set(None);
            }
        }
    }

    fn press(self, event: &leptos::ev::KeyboardEvent) {
        let is_open = self.offer.with_untracked(Option::is_some);
        let modified = event.ctrl_key() || event.meta_key();
        let taken = match (event.key().as_str(), modified, is_open) {
            ("Enter", true, _) => {
                self.offer.set(None);
                self.submit.run(());
                true
            }
            (" ", true, _) => {
                self.offer(true);
                true
            }
            ("ArrowDown", false, true) => {
                self.choose(1);
                true
            }
            ("ArrowUp", false, true) => {
                self.choose(-1);
                true
            }
            ("Enter" | "Tab", false, true) if !event.shift_key() => {
                self.accept(None);
                true
            }
            ("Enter", false, false) if self.is_single => {
                self.submit.run(());
                true
            }
            ("Escape", false, true) => {
                self.offer.set(None);
                true
            }
            _ => false,
        };
        if taken {
            event.prevent_default();
            event.stop_propagation();
        }
    }
}

/// The editor.
#[component]
pub fn Editor(
    /// The text.
    text: RwSignal<String>,
    /// What it is, for those who do not see it.
    label: &'static str,
    /// Shown while it is empty.
    placeholder: &'static str,
    /// Where tests find it.
    testid: &'static str,
    /// Whether it has one line, which Enter submits; else Ctrl+Enter does.
    #[prop(optional)]
    is_single: bool,
    /// Colours of the language.
    colours: Colours,
    /// Completes the text at a byte offset.
    complete: Callback<(String, usize), Completion>,
    /// Does what the text says.
    submit: Callback<()>,
    /// What is wrong with it.
    #[prop(into)]
    fault: Signal<Fault>,
    /// The element, for whoever gives it the focus.
    #[prop(optional)]
    node: NodeRef<Textarea>,
) -> impl IntoView {
    let context = EditorContext {
        node,
        text,
        offer: RwSignal::new(None),
        scrolled: RwSignal::new((0, 0)),
        complete,
        submit,
        is_single,
    };
    let sync = move || {
        if let Some(Some(node)) = node.try_get_untracked() {
            context.scrolled.set((node.scroll_left(), node.scroll_top()));
        }
    };
    let typed = move |event: leptos::ev::Event| {
        let mut value = event_target_value(&event);
        if is_single {
            value.retain(|c| c != '\n' && c != '\r');
        }
        text.set(value);
        context.offer(false);
        request_animation_frame(sync);
    };
    let shift = move || {
        let (left, top) = context.scrolled.get();
        format!("transform:translate({}px,{}px)", -left, -top)
    };
    let mark = move || {
        let at = fault.get()?.1?;
        let (line, column) = text.with(|text| line_and_column(text, at.min(text.len())));
        Some(view! { <i class="editor-fault" style=place(line + 1, column, context.scrolled.get(), -2.0)></i> })
    };
    let list_id = format!("{testid}-offer");
    let active = {
        let list_id = list_id.clone();
        move || context.offer.with(|offer| offer.as_ref().map(|offer| format!("{list_id}-{}", offer.chosen)))
    };
    view! {
        <div class="editor mono" class:single=is_single class:wrong=move || fault.with(Option::is_some)>
            <div class="editor-text">
                <pre class="editor-colours" aria-hidden="true"><div style=shift>{move || text.with(|text| coloured(text, colours))}</div></pre>
                <textarea node_ref=node data-testid=testid aria-label=label role="combobox" aria-autocomplete="list"
                    aria-expanded=move || context.offer.with(Option::is_some).to_string() aria-controls=list_id.clone()
                    aria-activedescendant=active aria-invalid=move || fault.with(Option::is_some).to_string()
                    rows="1" wrap="off" placeholder=placeholder spellcheck="false" autocomplete="off"
                    autocapitalize="off" prop:value=move || text.get() on:input=typed
                    on:keydown=move |event| context.press(&event) on:scroll=move |_| sync()
                    on:click=move |_| context.offer.set(None) on:blur=move |_| context.offer.set(None)></textarea>
                {mark}
            </div>
            {move || context.offer.get().map(|offer| list(context, &list_id, offer))}
        </div>
    }
}

/// A place in the text as a style.
fn place(line: usize, column: usize, (left, top): (i32, i32), down: f64) -> String {
    let x = PADDING - f64::from(left);
    let y = (PADDING + line as f64 * LINE_HEIGHT - f64::from(top) + down).max(0.0);
    format!("left:calc({column}ch + {x}px);top:{y}px")
}

fn list(context: EditorContext, id: &str, offer: Offer) -> impl IntoView + use<> {
    let style = place(offer.line + 1, offer.column, context.scrolled.get_untracked(), 4.0);
    let chosen = offer.chosen;
    let id = id.to_owned();
    let rows = offer.completion.candidates.into_iter().enumerate().map(|(index, candidate)| {
        // The focus stays in the text: a press chooses before it could leave.
        let take = move |event: leptos::ev::PointerEvent| {
            event.prevent_default();
            context.accept(Some(index));
        };
        view! {
            <div role="option" id=format!("{id}-{index}") aria-selected=(index == chosen).to_string()
                on:pointerdown=take><span class="cut">{candidate.text}</span><span class="faint cut">{candidate.detail}</span></div>
        }
    });
    view! { <div class="editor-offer" role="listbox" id=id.clone() aria-label="Completions" style=style>{rows.collect_view()}</div> }
}

fn coloured(text: &str, colours: Colours) -> impl IntoView + use<> {
    let mut pieces = Vec::new();
    let mut done = 0;
    for (class, range) in colours(text) {
        let (Some(gap), Some(piece)) = (text.get(done..range.start), text.get(range.clone())) else { continue };
        pieces.push(("", gap.to_owned()));
        pieces.push((class, piece.to_owned()));
        done = range.end;
    }
    // A last line without letters has no height of its own.
    pieces.push(("", format!("{}\n", text.get(done..).unwrap_or_default())));
    pieces.into_iter().map(|(class, piece)| view! { <span class=class>{piece}</span> }).collect_view()
}

/// Replaces a piece as if it were typed, so that undo knows of it.
fn replace(node: &HtmlTextAreaElement, text: &str, range: &Range<usize>, with: &str) {
    let (start, end) = (utf16_offset(text, range.start) as u32, utf16_offset(text, range.end) as u32);
    let _ = node.focus();
    let _ = node.set_selection_range(start, end);
    let is_done = document()
        .dyn_into::<web_sys::HtmlDocument>()
        .is_ok_and(|page| page.exec_command_with_show_ui_and_value("insertText", false, with).unwrap_or(false));
    if !is_done {
        let _ = node.set_range_text(with);
    }
}
