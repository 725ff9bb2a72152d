//! What a page shows instead of rows: nothing yet, nothing at all, or an error.

use api::{Completeness, Stats};
use leptos::prelude::*;
use ui_core::format;

use crate::fetch::ApiError;
use crate::parts::icons::{self, icon};
use crate::session::Session;

/// Grey lines while the first answer is awaited; they appear only when it takes a while.
#[component]
pub fn Skeleton(
    /// What is loading.
    label: &'static str,
) -> impl IntoView {
    let line = |n: u32| view! { <div class="skeleton-line" style=format!("width:{}%", 35 + n * 37 % 60)></div> };
    view! { <div class="skeleton" role="status" aria-label=label>{(0..14).map(line).collect_view()}</div> }
}

/// An error where the content would be, with a way to try again.
#[component]
pub fn Failure(
    /// The error.
    error: ApiError,
) -> impl IntoView {
    let session = Session::get();
    let retry = move |_| session.reloads.update(|n| *n += 1);
    let title = match error.status {
        0 => "No connection".to_owned(),
        1 => "Unexpected answer".to_owned(),
        400 | 422 => "The question was refused".to_owned(),
        503 | 504 => "Spyhop is busy".to_owned(),
        status => format!("Error {status}"),
    };
    view! {
        <div class="state" role="alert" data-testid="failure">
            <span class="state-icon error">{icon(icons::WARNING)}</span>
            <h2>{title}</h2>
            <p>{error.detail}</p>
            <button type="button" class="button" on:click=retry>"Try again"</button>
        </div>
    }
}

/// An error above data that is still shown.
#[component]
pub fn FailureLine(
    /// The error.
    error: ApiError,
) -> impl IntoView {
    let session = Session::get();
    let retry = move |_| session.reloads.update(|n| *n += 1);
    view! {
        <div class="notice error" role="alert" data-testid="failure">
            {icon(icons::WARNING)}
            <span>{error.detail}</span>
            <button type="button" class="button quiet" on:click=retry>"Try again"</button>
        </div>
    }
}

/// What an answer cost, in one quiet line.
pub fn stats_words(stats: &Stats, completeness: &Completeness) -> String {
    let mut words = Vec::new();
    if stats.files_total > 0 {
        words.push(format!("{} of {} files", format::count(stats.files_scanned), format::count(stats.files_total)));
    }
    if !stats.index_used.is_empty() && stats.index_used != "none" {
        words.push(format!("index: {}", stats.index_used));
    }
    if stats.bytes_scanned > 0 {
        words.push(format!("{} read", format::bytes(stats.bytes_scanned)));
    }
    words.push(format!("{} scanned", format::counted(stats.rows_scanned, "row")));
    words.push(format::duration((stats.elapsed_ms * 1e6) as i64));
    words.push(match completeness.complete {
        true => "complete".to_owned(),
        false => format!("incomplete: {}", completeness.incomplete_because.join("; ")),
    });
    words.join(" · ")
}
