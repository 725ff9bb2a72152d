//! Live: new records as they are stored, and no line moves while it is being read.
//!
//! Records come over the stream of [`tail`]; where the server has none, they are asked for every two seconds. A
//! stream begins after the first page was asked for, so what came between is asked for once.
//!
//! Someone reads when the list is scrolled, the panel is open, a row is chosen or the pointer is over the rows. Then
//! the list grows above and its scrolling grows with it, so that every line stays where it is on the screen.

mod tail;

use std::time::Duration;

use api::{LogRecord, LogSearchAnswer};
use leptos::prelude::*;
use leptos::task::spawn_local;
use ui_core::range::{SECOND, Window};
use ui_core::requests;

use super::{LogsContext, ROW_HEIGHT, assign_slots};
use crate::fetch;
use crate::parts::every;
use crate::session;
use tail::{Fare, Tail};

/// How often new records are asked for where there is no stream, and how often the histogram moves on.
const PERIOD: Duration = Duration::from_millis(2_000);
/// How often what has come is shown: often enough to look immediate, seldom enough to be read.
const SHOW_PERIOD: Duration = Duration::from_millis(250);
/// Records that come late by this much are still found.
const LATE: i64 = 5 * SECOND;
/// Records asked for at a time.
const BATCH_ROWS: usize = 1_000;
/// Pages followed in one turn; more records than these in two seconds are not read by anyone.
const PAGES_MAX: usize = 4;

/// Keeps the list fresh while the state says so.
pub fn follow(context: LogsContext) {
    let tail = Tail::new();
    let is_seen = use_visibility();
    // What is followed: a run whose first page is there.
    let followed = Memo::new(move |_| {
        let run = context.run.get()?;
        let is_live = context.state.with(|state| state.live) && context.filled_by.get() == Some(run.number);
        is_live.then_some((run.number, run.state.query))
    });
    Effect::new(move |earlier: Option<(Option<(u32, String)>, bool)>| {
        let (now, seen) = (followed.get(), is_seen.get());
        let was_followed = earlier.as_ref().is_some_and(|(before, _)| *before == now);
        match (&now, seen, was_followed) {
            (Some(_), false, _) | (None, ..) => tail.close(),
            (Some(_), true, true) => tail.resume(),
            (Some((_, query)), true, false) => tail.open(query),
        }
        if now.is_none() {
            context.live_note.set(None);
        }
        (now, seen)
    });
    let busy = StoredValue::new(false);
    let ask = move || {
        if followed.with_untracked(Option::is_some) && !busy.get_value() {
            busy.set_value(true);
            spawn_local(async move {
                turn(context).await;
                busy.try_set_value(false);
            });
        }
    };
    // The stream begins at its opening; what came between the first page and that is fetched.
    Effect::new(move |_| {
        if tail.fare.get() == Fare::Streaming {
            ask();
        }
    });
    every(PERIOD, move || match tail.fare.get_untracked() {
        Fare::Streaming => move_on(context, followed.with_untracked(|followed| followed.as_ref().map(|(run, _)| *run))),
        Fare::Opening => {}
        Fare::Broken | Fare::Absent => ask(),
    });
    every(SHOW_PERIOD, move || {
        if followed.with_untracked(Option::is_some) && tail.fare.get_untracked() != Fare::Absent {
            show(context, tail);
        }
    });
}

/// Whether the tab is seen.
fn use_visibility() -> RwSignal<bool> {
    let is_hidden = || js_sys::Reflect::get(&document(), &"hidden".into()).is_ok_and(|hidden| hidden.is_truthy());
    let seen = RwSignal::new(!is_hidden());
    let handle = window_event_listener_untyped("visibilitychange", move |_| {
        seen.try_set(!is_hidden());
    });
    on_cleanup(move || handle.remove());
    seen
}

/// Puts what has come into the list.
fn show(context: LogsContext, tail: Tail) {
    let taken = tail.waiting.try_update_value(|waiting| (waiting.take(), waiting.note()));
    let Some((records, note)) = taken else { return };
    let note = match tail.fare.get_untracked() {
        Fare::Broken => Some("The stream of new records broke; trying again.".to_owned()),
        _ => note,
    };
    if context.live_note.with_untracked(|shown| *shown != note) {
        context.live_note.set(note);
    }
    if !records.is_empty() {
        assign_slots(context.session, &records);
        merge(context, records);
    }
}

/// Moves the histogram on with the clock.
fn move_on(context: LogsContext, run: Option<u32>) {
    if let Some(run) = run {
        context.moved_window.set(Some((run, moved(context, session::now()))));
    }
}

async fn turn(context: LogsContext) {
    let Some(run) = context.run.try_get_untracked().flatten() else { return };
    if context.filled_by.get_untracked() != Some(run.number) {
        return;
    }
    let now = session::now();
    let newest = context.list.with_untracked(|list| list.newest());
    let start = newest.map_or(run.window.start, |newest| newest.saturating_sub(LATE).max(run.window.start));
    // Clocks differ: records a little ahead of this browser's are news too.
    let window = Window { start, end: now.saturating_add(2 * SECOND) };
    let Some((records, is_cut)) = fetch_new(context, &run.state.query, window).await else { return };
    let same_run = |now: Option<Option<u32>>| now == Some(Some(run.number));
    if !same_run(context.run.try_with_untracked(|run| run.as_ref().map(|run| run.number))) {
        return;
    }
    let note = is_cut.then(|| "More records arrive than can be shown; refresh to see them all.".to_owned());
    context.live_note.set(note);
    assign_slots(context.session, &records);
    merge(context, records);
    context.moved_window.set(Some((run.number, moved(context, now))));
}

/// The records of the window, newest first, and whether there were more than these; `None` where that failed.
async fn fetch_new(context: LogsContext, query: &str, window: Window) -> Option<(Vec<LogRecord>, bool)> {
    let mut records = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let url = requests::logs(query, window, BATCH_ROWS, cursor.as_deref());
        let answer = fetch::fetch_bytes(&url, None).await.and_then(fetch::decode::<LogSearchAnswer>);
        match answer {
            Ok(answer) => {
                records.extend(answer.logs);
                cursor = answer.next_cursor;
            }
            Err(error) => {
                context.live_note.try_set(Some(format!("Live refresh waits: {}", error.detail)));
                return None;
            }
        }
        if cursor.is_none() {
            break;
        }
    }
    Some((records, cursor.is_some()))
}

fn merge(context: LogsContext, records: Vec<LogRecord>) {
    let top = context.scroll.top.get_untracked();
    let reads = top >= ROW_HEIGHT
        || context.state.with_untracked(|state| state.panel.is_some())
        || context.cursor.get_untracked().is_some()
        || (is_pointed_at() && !context.follows.get_untracked());
    let first = (top / ROW_HEIGHT) as usize;
    let key_at = |row: Option<usize>| row.and_then(|row| context.list.with_untracked(|list| list.key_at(row)));
    let (anchor, cursor) = (key_at(Some(first)), key_at(context.cursor.get_untracked()));
    let mut added = 0;
    // Writing without news would redraw for nothing.
    let mut list = context.list.write();
    added += list.merge_newer(records);
    if added == 0 {
        list.untrack();
        return;
    }
    let place = |key: Option<u64>| key.and_then(|key| list.position(key));
    let (anchor_row, cursor_row) = (place(anchor), place(cursor));
    drop(list);
    if cursor_row.is_some() {
        context.cursor.set(cursor_row);
    }
    if let (true, Some(row)) = (reads, anchor_row) {
        let moved = row.saturating_sub(first);
        if moved > 0 {
            context.unseen.update(|unseen| *unseen += moved);
            context.scroll.to(top + moved as f64 * ROW_HEIGHT);
        }
    }
}

/// Whether the pointer is over the rows.
fn is_pointed_at() -> bool {
    document().query_selector(".logs-rows .list:hover").ok().flatten().is_some()
}

/// The page's window, moved on with the clock where its range is relative.
fn moved(context: LogsContext, now: i64) -> Window {
    context.state.with_untracked(|state| state.range.resolve_or_default(now))
}
