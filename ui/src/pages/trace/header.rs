//! What a trace is in one line, and what is odd about it.

use leptos::prelude::*;
use ui_core::format;

use super::{TraceContext, TraceData};
use crate::parts::CopyButton;
use crate::parts::icons::{self, icon};

/// The header.
#[component]
pub fn Header() -> impl IntoView {
    let context: TraceContext = expect_context();
    move || context.trace.data.get().map(|data| header(context, &data))
}

fn header(context: TraceContext, data: &TraceData) -> impl IntoView + use<> {
    let (document, layout) = (&data.document, &data.layout);
    let root = layout.order.first().and_then(|index| document.spans.get(*index as usize));
    let (service, operation) = root.map_or_else(
        || ("no span yet".to_owned(), String::new()),
        |span| (document.service(span.service).to_owned(), span.name.to_string()),
    );
    if !operation.is_empty() {
        context.session.title.set(format!("{service} {}", format::cut(&operation, 60)));
    }
    let id = document.trace_id.clone();
    let copied = id.clone();
    let errors = document.spans.iter().filter(|span| span.is_error).count() as u64;
    let offset = context.session.offset_minutes(layout.start);
    let start = format!("{} {}", format::exact(layout.start, offset), format::zone(offset));
    let fact = |name: &'static str, value: String| view! { <div class="fact"><span class="label">{name}</span><b>{value}</b></div> };
    let last = |signal: &str| document.last_seen.get(signal).map(|time| time.0);
    let last_log =
        last("logs").map(|time| format!("last log {} · ", format::clock(time, context.session.offset_minutes(time))));
    let complete = if document.incomplete_because.is_empty() { "complete" } else { "incomplete" };
    let stats = format!(
        "{complete} · {}{} scanned · {}",
        last_log.unwrap_or_default(),
        format::counted(document.stats.rows_scanned, "row"),
        format::duration((document.stats.elapsed_ms * 1e6) as i64)
    );
    view! {
        <div class="facts" data-testid="trace-header">
            <div class="fact root">
                <span class="label cut">{format!("{service} · {operation}")}</span>
                <b class="mono id"><span data-testid="trace-id">{id}</span><CopyButton label="Copy the trace id"
                    text=Callback::new(move |()| copied.clone())/></b>
            </div>
            {fact("Start", start[..start.len().min(23)].to_owned())}
            {fact("Duration", format::duration(layout.duration()))}
            {fact("Spans", format::count(document.spans.len() as u64))}
            {fact("Services", format::count(document.services.len() as u64))}
            {fact("Depth", format::count(u64::from(layout.depth_max) + u64::from(!document.spans.is_empty())))}
            {fact("Logs", format::count(document.logs.len() as u64))}
            {(!document.exemplars.is_empty()).then(|| fact("Exemplars", format::count(document.exemplars.len() as u64)))}
            {match errors {
                0 => fact("Errors", "0".to_owned()).into_any(),
                _ => view! {
                    <button type="button" class="fact fact-button" title="Next error (e)" data-testid="next-error"
                        on:click=move |_| context.next_error()>
                        <span class="label">"Errors"</span><b class="error-text">{format::count(errors)}</b>
                    </button>
                }.into_any(),
            }}
            <span class="gap"></span>
            <span class="faint facts-stats">{stats}</span>
        </div>
        {warnings(data).into_iter().map(|words| view! { <p class="notice warn">{icon(icons::WARNING)}<span>{words}</span></p> }).collect_view()}
    }
}

fn warnings(data: &TraceData) -> Vec<String> {
    let (document, layout) = (&data.document, &data.layout);
    let mut words = Vec::new();
    let mut add = |count: usize, text: &str| {
        if count > 0 {
            words.push(format!("{} {text}", format::counted(count as u64, "span")));
        }
    };
    add(
        layout.missing_parents,
        "name a parent that is not stored: still on its way, lost, or sampled out. Shown at the top level.",
    );
    add(layout.circles, "stood in a circle of parents and were cut loose.");
    add(layout.negative, "end before they start: a clock was set back.");
    if document.unreadable > 0 {
        words.push(format!(
            "{} could not be read and are left out.",
            format::counted(document.unreadable as u64, "record")
        ));
    }
    if document.spans.is_empty() {
        words.push("No span is stored; these are the log records that carry the id.".to_owned());
    }
    words.extend(document.incomplete_because.iter().map(|reason| format!("Incomplete: {reason}")));
    words
}
