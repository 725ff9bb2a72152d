//! A run: one question of a page, with its window resolved once and shared by everything the page asks for it.

use leptos::prelude::*;
use ui_core::range::{RangeText, Window};

use crate::query::Ask;
use crate::session::{self, Session};

/// One run of a page's question.
#[derive(Debug, Clone, PartialEq)]
pub struct Run<S> {
    /// What is asked.
    pub state: S,
    /// Its window.
    pub window: Window,
    /// Whether Back led here, so that kept answers will do.
    pub restored: bool,
    /// Number of the run, never used twice on a page.
    pub number: u32,
}

impl<S> Run<S> {
    /// A request of this run.
    pub fn ask(&self, url: String) -> Ask {
        Ask::kept(url, if self.restored { f64::INFINITY } else { 0.0 })
    }
}

/// Begins a run whenever what is asked changes, and whenever the person asks for fresh data. `asked` gives the part
/// of the page's state that is a question (no panels), its range and its URL.
pub fn use_run<S: PartialEq + Clone + Send + Sync + 'static>(
    asked: impl Fn() -> (S, RangeText, String) + Send + Sync + 'static,
) -> RwSignal<Option<Run<S>>> {
    let session = Session::get();
    let run = RwSignal::new(None);
    let asked = Memo::new(move |_| asked());
    Effect::new(move |earlier: Option<(u32, u32)>| {
        let (state, range, url) = asked.get();
        let reloads = session.reloads.get();
        let number = earlier.map_or(0, |(_, number)| number + 1);
        let fresh = earlier.is_some_and(|(before, _)| before != reloads);
        let restored = session::take_restored() && !fresh;
        let window = session.window(&url, &range, restored);
        session.range.set(range);
        run.set(Some(Run { state, window, restored, number }));
        (reloads, number)
    });
    run
}
