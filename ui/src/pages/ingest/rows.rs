//! A row for each service and signal; an open one shows why records were rejected, and some of them.

use api::{RejectedReason, RejectedSample, ServiceIngest};
use leptos::prelude::*;
use ui_core::format;
use ui_core::ledger;
use ui_core::range::Window;
use ui_core::time_chart::Steps;

use super::IngestContext;
use crate::parts::icons::{self, icon};
use crate::parts::time_chart::sparkline;
use crate::parts::{CopyButton, service_tag};
use crate::session;

/// Rows built; the filter finds the others.
pub const ROWS_MAX: usize = 200;

/// Columns of the table.
const COLUMNS: &str = "8";

/// The id of a row's button in the page.
pub fn button_id(at: usize) -> String {
    format!("ingest-row-{at}")
}

/// The table.
#[component]
pub fn Rows() -> impl IntoView {
    let context: IngestContext = expect_context();
    let count = Memo::new(move |_| context.rows.with(|rows| rows.len()));
    let all = move || {
        let (Some(answer), Some(run)) = (context.answer.data.get(), context.run.get()) else {
            return ().into_any();
        };
        context.session.is_utc.track();
        let steps = Steps::of(&answer.steps);
        let rows = context.rows.get();
        let shown = rows.iter().take(ROWS_MAX).filter_map(|index| answer.services.get(*index));
        shown.enumerate().map(|(at, row)| pair(context, at, row, steps, run.window)).collect_view().into_any()
    };
    view! {
        <Show when=move || count.get() != 0 fallback=move || nothing(context)>
            <table class="table ingest-rows" data-testid="ingest-rows">
                <thead><tr>
                    <th scope="col">"Service"</th><th scope="col">"Signal"</th>
                    <th scope="col" class="number">"Received"</th>
                    <th scope="col" class="wide"><span class="spoken">"Records a minute over time"</span></th>
                    <th scope="col" class="number">"Stored"</th><th scope="col" class="number">"Duplicate"</th>
                    <th scope="col" class="number">"Rejected"</th><th scope="col" class="number">"Last received"</th>
                </tr></thead>
                {all}
            </table>
        </Show>
    }
}

/// What stands where there is no row.
fn nothing(context: IngestContext) -> AnyView {
    let is_filtered = context.state.with(|state| !state.filter.is_empty());
    let has_rows = context.answer.data.with(|answer| answer.as_ref().is_some_and(|a| !a.services.is_empty()));
    if is_filtered && has_rows {
        return view! {
            <div class="state small-state" data-testid="no-match">
                <h2>"No service has this in its name"</h2>
                <button type="button" class="button" on:click=move |_| context.go(false, |state| state.filter = String::new())>
                    "Show all services"</button>
            </div>
        }
        .into_any();
    }
    let has_data = context.answer.data.with(|answer| answer.as_ref().is_some_and(|answer| answer.has_data));
    view! {
        <div class="state small-state" data-testid="empty">
            {match has_data {
                true => view! { <h2>"Nothing was received in this range"</h2><p>"Choose a longer range."</p> }.into_any(),
                false => view! {
                    <h2>"Nothing has been received yet"</h2>
                    <p>"Point an OpenTelemetry SDK here; what it sends is counted here within a second."</p>
                    <a class="button primary" href="/connect">"Connect a service"</a>
                }.into_any(),
            }}
        </div>
    }
    .into_any()
}

/// A row, and what it shows when it is open.
fn pair(context: IngestContext, at: usize, row: &ServiceIngest, steps: Steps, window: Window) -> impl IntoView + use<> {
    let key = ledger::key(row);
    let is_open = {
        let key = key.clone();
        Memo::new(move |_| context.state.with(|state| state.open == key))
    };
    let rates = ledger::per_minute(row, steps, window);
    let seen = row.last_received_unix_nano.0;
    let offset = context.session.offset_minutes(seen);
    let count = |number: u64, class: &'static str| match number {
        0 => view! { <td class="number faint">"0"</td> }.into_any(),
        number => view! { <td class=class>{format::count(number)}</td> }.into_any(),
    };
    let toggle = move |_| context.toggle(&key);
    let details_id = format!("ingest-details-{at}");
    let controls = details_id.clone();
    let opened = row.clone();
    view! {
        <tbody data-testid="ingest-row">
            <tr>
                <td><span class="line">
                    <button type="button" class="row-link row-button" id=button_id(at) aria-expanded=move || is_open.get().to_string()
                        aria-controls=controls on:click=toggle
                        aria-label=format!("{} {}", row.service, row.signal)>
                        <span class="caret" class:closed=move || !is_open.get()>{icon(icons::DOWN)}</span>
                        {service_tag(context.session, &row.service)}
                    </button></span></td>
                <td class="muted">{row.signal.clone()}</td>
                {count(row.received, "number")}
                <td class="wide spark-cell" title=ledger::peak_words(&rates)>{sparkline(&rates, 0.0, "line-calls")}</td>
                {count(row.stored, "number")}
                {count(row.duplicate, "number")}
                {count(row.rejected, "number error-text")}
                <td class="number faint" title=format!("{} {}", format::exact(seen, offset), format::zone(offset))>
                    {format::ago(seen, session::now())}</td>
            </tr>
            {move || is_open.get().then(|| details(context, &details_id, &opened))}
        </tbody>
    }
}

fn details(context: IngestContext, id: &str, row: &ServiceIngest) -> impl IntoView + use<> {
    let nothing = row.reasons.is_empty().then(|| {
        let words = match row.duplicate {
            0 => "Every record was stored.".to_owned(),
            count => format!(
                "Every record was stored; {} came again and were stored once.",
                format::counted(count, "record")
            ),
        };
        view! { <p class="muted">{words}</p> }
    });
    let reasons = row.reasons.iter().map(|reason| reason_view(context, reason)).collect_view();
    view! {
        <tr class="ingest-details" id=id.to_owned()><td colspan=COLUMNS>
            <div class="ingest-reasons" data-testid="ingest-details">{nothing}{reasons}</div>
        </td></tr>
    }
}

fn reason_view(context: IngestContext, reason: &RejectedReason) -> impl IntoView + use<> {
    let words = if reason.explanation.is_empty() { reason.reason.clone() } else { reason.explanation.clone() };
    let samples = reason.samples.iter().map(|sample| sample_view(context, sample)).collect_view();
    view! {
        <section data-testid="ingest-reason">
            <h3 class="line"><b class="error-text">{format::counted(reason.count, "record")}</b>
                <span>{words}</span><span class="mono faint small">{reason.reason.clone()}</span></h3>
            {samples}
        </section>
    }
}

fn sample_view(context: IngestContext, sample: &RejectedSample) -> impl IntoView + use<> {
    let time = sample.time_unix_nano.0;
    let offset = context.session.offset_minutes(time);
    let copied = sample.record.clone();
    view! {
        <div class="ingest-sample">
            <span class="mono faint small">{format::exact(time, offset)}</span>
            <div class="body-card"><pre class="mono" tabindex="0" aria-label="A rejected record" data-testid="ingest-sample">
                {sample.record.clone()}</pre>
                <CopyButton label="Copy the record" text=Callback::new(move |()| copied.clone())/></div>
        </div>
    }
}
