//! The trace of a log record in small, and the way to it.

use std::time::Duration;

use leptos::prelude::*;
use ui_core::requests;
use ui_core::state::TraceState;
use ui_core::{format, order};

use crate::pages::trace::{KEPT_AGE_MAX, TraceData, decode_trace};
use crate::query::{Ask, use_query_latest};
use crate::session::Session;

/// Spans shown.
const BARS_MAX: usize = 7;
/// How long a record must be looked at before its trace is fetched.
const PAUSE: Duration = Duration::from_millis(200);

/// The card.
#[component]
pub fn TraceCard(
    /// Id of the trace.
    trace_id: String,
    /// Span of the record; empty for none.
    span_id: String,
) -> impl IntoView {
    let session = Session::get();
    let ready = RwSignal::new(false);
    if let Ok(handle) = set_timeout_with_handle(
        move || {
            ready.try_set(true);
        },
        PAUSE,
    ) {
        on_cleanup(move || handle.clear());
    }
    let url = requests::trace(&trace_id);
    let trace =
        use_query_latest::<TraceData>(move || ready.get().then(|| Ask::kept(url.clone(), KEPT_AGE_MAX)), decode_trace);
    let href = TraceState { span: span_id.clone(), ..TraceState::default() }.url_of(&trace_id, "");
    let short = match trace_id.len() {
        32 => format!("{}…{}", trace_id.get(..4).unwrap_or_default(), trace_id.get(28..).unwrap_or_default()),
        _ => format::cut(&trace_id, 12),
    };
    let words = move || {
        trace.data.with(|data| {
            data.as_ref().map(|data| {
                let (document, layout) = (&data.document, &data.layout);
                let services = document.services.len() as u64;
                format!(
                    " · {} · {} · {}",
                    format::duration(layout.duration()),
                    format::counted(document.spans.len() as u64, "span"),
                    format::counted(services, "service")
                )
            })
        })
    };
    view! {
        <section class="trace-card" aria-label="Trace of this record">
            <div class="line">
                <span class="label cut">"Trace "<span class="mono">{short}</span>{words}</span>
                <span class="gap"></span>
                <a href=href data-testid="open-trace">"Open trace"</a>
            </div>
            {move || trace.data.get().map(|data| bars(session, &data, &span_id))}
            {move || trace.error.get().filter(|error| error.status == 404).map(|_| view! { <p class="faint">"No span of this trace is stored yet."</p> })}
        </section>
    }
}

/// The record's span, what is above it, and the first of the rest.
fn bars(session: Session, data: &TraceData, span_id: &str) -> impl IntoView + use<> {
    let (document, layout) = (&data.document, &data.layout);
    session.assign_slots(document.services.iter().map(String::as_str));
    let own = document.span_by_id(span_id);
    let mut shown: Vec<u32> = Vec::new();
    let mut above = own.map(|own| own as u32);
    while let Some(span) = above.filter(|_| shown.len() < BARS_MAX) {
        shown.push(span);
        above = layout.parent[span as usize];
    }
    let rest = layout.order.iter().filter(|span| !shown.contains(span)).take(BARS_MAX - shown.len()).copied();
    let rest: Vec<u32> = rest.collect();
    shown.extend(rest);
    let position = |span: &u32| layout.position[*span as usize];
    order::sort(&mut shown, |one, other| position(one).cmp(&position(other)));
    let rows = shown.into_iter().map(|index| {
        let span = &document.spans[index as usize];
        let (from, to) = (layout.share(span.start) * 100.0, layout.share(span.end.max(span.start)) * 100.0);
        let slot = session.slot(document.service(span.service));
        let class = match layout.is_error_origin(document, index as usize) {
            true => "mini-bar error".to_owned(),
            false => format!("mini-bar slot-{slot}"),
        };
        let is_own = own == Some(index as usize);
        view! {
            <div class="mini-row" class:own=is_own>
                <span class="cut">{span.name.to_string()}</span>
                <span class="mini-track"><i class=class
                    style=format!("left:{from:.2}%;width:{:.2}%", (to - from).max(0.6))></i></span>
            </div>
        }
    });
    view! { <div class="mini" aria-hidden="true">{rows.collect_view()}</div> }
}
