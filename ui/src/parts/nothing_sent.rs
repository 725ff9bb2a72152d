//! What stands in for the services where there is none: none ever, or none in this range.

use api::{IngestStatus, LogSearchAnswer, TraceSearchAnswer, paths};
use leptos::prelude::*;
use ui_core::format;
use ui_core::range::{MINUTE, RangeText, Window};
use ui_core::requests;

use crate::fetch;
use crate::query::{Ask, use_query_latest};
use crate::session::Session;

/// No service in a range, or none ever, with a way on.
#[component]
pub fn NothingSent(
    /// Looks at another range.
    go: Callback<RangeText>,
) -> impl IntoView {
    let session = Session::get();
    let fresh = |url: String| move || Some(Ask::fresh(url.clone()));
    let status = use_query_latest::<IngestStatus>(fresh(requests::ingest_status()), fetch::decode);
    let trace = use_query_latest::<TraceSearchAnswer>(fresh(format!("{}?limit=1", paths::TRACES)), fetch::decode);
    let log = use_query_latest::<LogSearchAnswer>(fresh(requests::newest_log("")), fetch::decode);
    let newest = move || {
        let trace = trace.data.with(|answer| answer.as_ref()?.traces.first().map(|trace| trace.start_time_unix_nano.0));
        let log = log.data.with(|answer| answer.as_ref()?.logs.first().map(|log| log.time_unix_nano.0));
        trace.max(log)
    };
    let has_data = move || status.data.with(|status| status.as_ref().is_none_or(|status| status.has_data));
    view! {
        <div class="state" data-testid="empty">
            {move || match (has_data(), newest()) {
                (false, _) => view! {
                    <h2>"No service has sent anything yet"</h2>
                    <p>"Point an OpenTelemetry SDK here and its service appears within a second."</p>
                    <a class="button primary" href="/connect">"Connect a service"</a>
                }.into_any(),
                (true, Some(time)) => {
                    newest_elsewhere(session, "No service sent anything in this range".to_owned(), time, go).into_any()
                }
                (true, None) => view! {
                    <h2>"No service sent anything in this range"</h2>
                    <p>"Choose a longer range."</p>
                }.into_any(),
            }}
        </div>
    }
}

/// Says when the newest record is from, and leads there.
pub fn newest_elsewhere(session: Session, title: String, newest: i64, go: Callback<RangeText>) -> impl IntoView {
    let offset = session.offset_minutes(newest);
    let range = Window { start: newest.saturating_sub(30 * MINUTE), end: newest.saturating_add(30 * MINUTE) }.to_text();
    let time = format::exact(newest, offset);
    view! {
        <h2>{title}</h2>
        <p>{format!("The newest record is of {} {}.", time.get(..19).unwrap_or_default(), format::zone(offset))}</p>
        <button type="button" class="button primary" on:click=move |_| go.run(range.clone())>"Go there"</button>
    }
}
