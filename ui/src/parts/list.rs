//! A list of many rows of one height: only those near the viewport exist.
//!
//! The list has the focus, its cursor row is named by `aria-activedescendant`; rows have no reactive part while they
//! are out of sight, because they are not there.

use leptos::html::Div;
use leptos::prelude::*;
use ui_core::window;
use wasm_bindgen::JsCast;

use crate::parts::size::watch_size;

/// A list's scrolling; a handle, cheap to copy.
#[derive(Clone, Copy)]
pub struct Scroll {
    node: NodeRef<Div>,
    /// How far it is scrolled, in pixels.
    pub top: RwSignal<f64>,
    /// How far it is scrolled sideways, in pixels, where its rows are wider than it.
    pub left: RwSignal<f64>,
    /// Height of what is seen, in pixels.
    pub viewport: RwSignal<f64>,
    /// Height of a row, in pixels.
    pub row_height: f64,
}

impl Scroll {
    /// A list that begins at the top.
    pub fn new(row_height: f64) -> Scroll {
        Scroll {
            node: NodeRef::new(),
            top: RwSignal::new(0.0),
            left: RwSignal::new(0.0),
            viewport: RwSignal::new(800.0),
            row_height,
        }
    }

    /// Scrolls to so many pixels, once the rows of this change are there.
    pub fn to(self, top: f64) {
        self.top.set(top);
        request_animation_frame(move || {
            if let Some(Some(element)) = self.node.try_get_untracked() {
                element.set_scroll_top(top.round() as i32);
            }
        });
    }

    /// Scrolls no further than needed to show the row.
    pub fn show(self, row: usize) {
        let (top, viewport) = (self.top.get_untracked(), self.viewport.get_untracked());
        if let Some(target) = window::scroll_to_show(row, top, viewport, self.row_height, 2) {
            self.to(target);
        }
    }

    /// Brings the row to the middle, unless it is seen already.
    pub fn jump(self, row: usize) {
        let (top, viewport) = (self.top.get_untracked(), self.viewport.get_untracked());
        if window::scroll_to_show(row, top, viewport, self.row_height, 0).is_some() {
            self.to(window::scroll_to_centre(row, viewport, self.row_height));
        }
    }

    /// Rows to build.
    fn rows(self, count: usize) -> std::ops::Range<usize> {
        window::visible(self.top.get(), self.viewport.get(), self.row_height, count)
    }
}

/// The list.
#[component]
pub fn VirtualList(
    /// Its scrolling.
    scroll: Scroll,
    /// Rows there are.
    #[prop(into)]
    count: Signal<usize>,
    /// Identity of a row; reads whatever signals rows depend on.
    key: impl Fn(usize) -> u64 + Clone + Send + Sync + 'static,
    /// Builds the content of a row.
    row: impl Fn(usize) -> AnyView + Clone + Send + Sync + 'static,
    /// The row the keyboard is at.
    #[prop(into)]
    cursor: Signal<Option<usize>>,
    /// `grid` or `treegrid`.
    role: &'static str,
    /// What the list holds, for those who do not see it.
    label: &'static str,
    /// Prefix of row ids, unique in the page.
    id: &'static str,
) -> impl IntoView {
    watch_size(scroll.node, move |element| {
        scroll.viewport.try_set(f64::from(element.client_height()));
    });
    let range = Memo::new(move |_| scroll.rows(count.get()));
    let each = move || range.get().map(|index| (key(index), index)).collect::<Vec<_>>();
    let height = move || format!("height:{}px", count.get() as f64 * scroll.row_height);
    let active = move || cursor.get().map(|at| format!("{id}-{at}"));
    let on_scroll = move |event: leptos::ev::Event| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        if let Some(element) = target {
            scroll.top.set(f64::from(element.scroll_top()));
            let left = f64::from(element.scroll_left());
            if scroll.left.get_untracked() != left {
                scroll.left.set(left);
            }
        }
    };
    view! {
        <div
            class="list"
            node_ref=scroll.node
            role=role
            aria-label=label
            aria-rowcount=move || count.get().to_string()
            aria-activedescendant=active
            tabindex="0"
            on:scroll=on_scroll
        >
            <div class="list-rows" role="rowgroup" style=height>
                <For each=each key=|item| *item children=move |(_, index)| row(index)/>
            </div>
        </div>
    }
}

/// Where a row stands, as its style.
pub fn row_style(index: usize, row_height: f64) -> String {
    format!("top:{}px", index as f64 * row_height)
}
