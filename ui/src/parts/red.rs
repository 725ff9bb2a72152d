//! Rate, errors and durations as cells and heads of tables, the same on every page about services.

use api::{Red, RedSeries};
use leptos::prelude::*;
use ui_core::range::Window;
use ui_core::red;
use ui_core::sort::{Column, Sort};
use ui_core::time_chart::Steps;

use crate::parts::icons::{self, icon};
use crate::parts::time_chart::sparkline;

/// Class of a number that says how many calls failed.
pub fn share_class(share: Option<f64>) -> &'static str {
    if red::is_trouble(share) { "number error-text" } else { "number" }
}

/// Class of a p99 that has risen and stayed there, where the series tells.
pub fn p99_class(has_risen: bool) -> &'static str {
    if has_risen { "number warn-text" } else { "number" }
}

/// Share of failed calls, or a dash.
pub fn share_words(red: &Red) -> String {
    red::share(red).map_or_else(|| "–".to_owned(), red::share_words)
}

/// Calls a second, or a dash where there are none.
pub fn rate_words(red: &Red, window: Window) -> String {
    if red.calls == 0 { "–".to_owned() } else { red::rate_words(red::rate(red.calls, window)) }
}

/// The three sparklines of a row, and whether its p99 has risen.
pub struct Sparks {
    /// Calls a second.
    pub calls: AnyView,
    /// Share of failed calls; up to one in a hundred stays at the bottom.
    pub errors: AnyView,
    /// 99th percentile; a steady one stays in the lower part.
    pub p99: AnyView,
    /// Whether p99 has gone up for good within the series.
    pub has_risen: bool,
}

impl Sparks {
    /// The sparklines of a series; nothing is drawn for one without calls.
    pub fn of(series: &RedSeries, of_all: &Red, steps: Steps, window: Window) -> Sparks {
        if of_all.calls == 0 {
            let nothing = || ().into_any();
            return Sparks { calls: nothing(), errors: nothing(), p99: nothing(), has_risen: false };
        }
        let rates = red::rates(&series.calls, steps, window);
        let shares = red::shares(&series.calls, &series.errors);
        let p99 = red::durations(&series.p99_nano);
        let has_risen = red::jump(&p99).is_some_and(|jump| jump.is_up());
        let error_class = if red::is_trouble(red::share(of_all)) { "line-error" } else { "line-quiet" };
        let p99_floor = of_all.p50_nano.unwrap_or(0).max(of_all.p99_nano.unwrap_or(0) / 2) as f64 * 2.5;
        Sparks {
            calls: sparkline(&rates, 0.0, "line-calls").into_any(),
            errors: sparkline(&shares, red::TROUBLE_SHARE * 5.0, error_class).into_any(),
            p99: sparkline(&p99, p99_floor, if has_risen { "line-warn" } else { "line-calls" }).into_any(),
            has_risen,
        }
    }
}

/// A head that sorts: a click orders by its column, a second turns the order around, a third goes back to the default.
pub fn sort_head(
    title: &'static str,
    column: Column,
    sort: Signal<Sort>,
    choose: Callback<Sort>,
    is_number: bool,
) -> impl IntoView {
    let direction = move || sort.get().by.filter(|(by, _)| *by == column).map(|(_, descending)| descending);
    let words = move || match direction() {
        None => format!("Sort by {title}"),
        Some(true) => format!("Sorted by {title}, highest first"),
        Some(false) => format!("Sorted by {title}, lowest first"),
    };
    view! {
        <button type="button" class="sort label" class:number=is_number class:on=move || direction().is_some() title=words
            aria-label=words aria-pressed=move || direction().is_some().to_string()
            on:click=move |_| choose.run(sort.get_untracked().clicked(column))>
            {title}
            {move || direction().map(|descending| icon(if descending { icons::DOWN } else { icons::UP }))}
        </button>
    }
}
