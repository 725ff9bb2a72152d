//! All services together: calls, errors, the slowest, and what comes in now.

use std::time::Duration;

use api::IngestStatus;
use leptos::prelude::*;
use leptos::task::spawn_local;
use ui_core::format;
use ui_core::ingest::{self, Pulse};
use ui_core::red::{self, Totals};
use ui_core::requests;
use ui_core::time_chart::Steps;

use super::ServicesContext;
use crate::fetch;
use crate::parts::every;
use crate::parts::time_chart::sparkline;
use crate::session::{self, Session};

/// Time between two looks at the counters of ingest.
const LOOK_PERIOD: Duration = Duration::from_secs(5);

/// The cards.
#[component]
pub fn Cards() -> impl IntoView {
    let context: ServicesContext = expect_context();
    let totals = Memo::new(move |_| {
        let window = context.run.get().map(|run| run.window)?;
        context.answer.data.with(|answer| {
            let answer = answer.as_ref()?;
            Some((Totals::of(answer, window), Steps::of(&answer.steps)))
        })
    });
    view! {
        <div class="cards" data-testid="cards">
            {move || totals.get().map(|(totals, steps)| of_calls(context.session, totals, steps))}
            <IngestCard/>
        </div>
    }
}

fn of_calls(session: Session, totals: Totals, steps: Steps) -> impl IntoView {
    let clock = move |time: i64| {
        let clock = format::clock(time, session.offset_minutes(time));
        clock.get(..5).unwrap_or_default().to_owned()
    };
    let in_trouble = red::is_trouble(totals.share);
    let has_risen = red::jump(&totals.p99).is_some_and(|jump| jump.is_up());
    let slowest = totals.slowest.as_ref();
    let trend = red::trend_words(&totals.p99, red::duration_words, steps, &clock);
    let p99_words = slowest.map_or_else(|| "no calls".to_owned(), |(name, _)| format!("{name} · {trend}"));
    view! {
        {card("Calls", red::rate_words(totals.rate), "", red::trend_words(&totals.rates, red::rate_words, steps, &clock),
            "Spans that a service was asked with: servers, consumers, and roots", sparkline(&totals.rates, 0.0, "line-calls"))}
        {card("Errors", totals.share.map_or_else(|| "–".to_owned(), red::share_words), if in_trouble { "error-text" } else { "" },
            red::trouble_words(&totals.shares, steps), "Failed calls among all calls",
            sparkline(&totals.shares, red::TROUBLE_SHARE, if in_trouble { "line-error" } else { "line-quiet" }))}
        {card("p99", red::nano_words(slowest.map(|(_, p99)| *p99)), if has_risen { "warn-text" } else { "" }, p99_words,
            "99th percentile of the slowest service that has one call in a hundred or more",
            sparkline(&totals.p99, 0.0, if has_risen { "line-warn" } else { "line-calls" }))}
    }
}

/// One card: what, how much, in words, over time.
fn card(
    title: &'static str,
    value: String,
    class: &'static str,
    words: String,
    explanation: &'static str,
    line: impl IntoView,
) -> impl IntoView {
    view! {
        <section class="total" title=explanation aria-label=title>
            <h2 class="label">{title}</h2>
            <b class=class>{value}</b>
            <span class="total-line">{line}</span>
            <span class="faint cut">{words}</span>
        </section>
    }
}

/// Records that come in now, whatever range is looked at: the first two looks a second apart, then one in five.
#[component]
fn IngestCard() -> impl IntoView {
    let pulse = RwSignal::new(Pulse::default());
    let look = move || {
        spawn_local(async move {
            let status =
                fetch::fetch_bytes(&requests::ingest_status(), None).await.and_then(fetch::decode::<IngestStatus>);
            if let Ok(status) = status {
                pulse.try_update(|pulse| pulse.add(&status, session::now()));
            }
        });
    };
    look();
    if let Ok(second) = set_timeout_with_handle(look, Duration::from_secs(1)) {
        on_cleanup(move || second.clear());
    }
    every(LOOK_PERIOD, look);
    move || {
        let pulse = pulse.get();
        let value = pulse.rate().map_or_else(|| "…".to_owned(), ingest::rate_words);
        card(
            "Ingest",
            value,
            "",
            pulse.words(),
            "Records of every signal received now; what was rejected or dropped since ingest started",
            sparkline(&pulse.rates(), 0.0, "line-ok"),
        )
    }
}
