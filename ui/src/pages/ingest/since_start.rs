//! What is counted since ingest started: requests that were refused, and how far back resends are recognised.

use api::{IngestAnswer, RefusalCount};
use leptos::prelude::*;
use ui_core::format;
use ui_core::ledger;

use super::IngestContext;

/// Both, and since when there is a ledger.
#[component]
pub fn SinceStart() -> impl IntoView {
    let context: IngestContext = expect_context();
    let shown = move || context.answer.data.get().map(|answer| cards(context, &answer));
    view! { <div class="ingest-cards">{shown}</div> }
}

fn cards(context: IngestContext, answer: &IngestAnswer) -> impl IntoView + use<> {
    let time = |time: i64| {
        let offset = context.session.offset_minutes(time);
        let text = format::exact(time, offset);
        format!("{} {}", text.get(..19).unwrap_or_default(), format::zone(offset))
    };
    let started = answer.started_unix_nano.0;
    let since = if started > 0 { format!("since ingest started, {}", time(started)) } else { String::new() };
    let refusals = answer.refusals.clone();
    let counted = time(answer.counted_since_unix_nano.0);
    let window = answer.digest_window.as_ref().map(ledger::window_words);
    view! {
        <section class="card" data-testid="ingest-refusals">
            <h2>"Refused requests"</h2>
            <p class="muted small">{since}</p>
            {match refusals.is_empty() {
                true => view! { <p class="pad-top">"None."</p> }.into_any(),
                false => table(&refusals).into_any(),
            }}
        </section>
        <section class="card" data-testid="ingest-window">
            <h2>"Resends"</h2>
            <p class="pad-top">{window.unwrap_or_else(|| "Ingest has not said yet how far back it recognises resends.".to_owned())}</p>
            <p class="muted small pad-top">{format!("The ledger counts since {counted}.")}</p>
        </section>
    }
}

fn table(refusals: &[RefusalCount]) -> impl IntoView + use<> {
    let row = |refusal: &RefusalCount| {
        let again = if ledger::is_sent_again(refusal) { "clients send it again" } else { "for good" };
        view! {
            <tr data-testid="ingest-refusal">
                <td>{refusal.signal.clone()}</td>
                <td class="number">{refusal.status}</td>
                <td class="ingest-why">{ledger::refusal_words(&refusal.reason).to_owned()}</td>
                <td class="muted wide">{again}</td>
                <td class="number">{format::count(refusal.count)}</td>
            </tr>
        }
    };
    view! {
        <table class="table">
            <thead><tr><th scope="col">"Signal"</th><th scope="col" class="number">"Status"</th><th scope="col">"Reason"</th>
                <th scope="col" class="wide"><span class="spoken">"What comes of it"</span></th>
                <th scope="col" class="number">"Requests"</th></tr></thead>
            <tbody>{refusals.iter().map(row).collect_view()}</tbody>
        </table>
    }
}
