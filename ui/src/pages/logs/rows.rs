//! The list of log records.

use std::sync::Arc;

use api::LogRecord;
use leptos::prelude::*;
use ui_core::logs::{self, LogList};
use ui_core::severity::Severity;
use ui_core::{fields, format, highlight};

use super::{LogsContext, ROW_HEIGHT};
use crate::parts::list::{VirtualList, row_style};
use crate::parts::service_tag;

/// Attributes shown before a body at most.
const CHIPS_MAX: usize = 2;
/// Attributes worth a chip, the most telling first.
const CHIPS: &[&str] = &["exception.type", "http.response.status_code", "http.route", "db.system.name", "rpc.method"];
/// Beginnings of attribute names that say how a record was made, not what happened.
const NO_CHIPS: &[&str] = &["code.", "thread.", "log.", "logger", "telemetry.", "otel", "exception.", "trace", "span"];

/// The list.
#[component]
pub fn Rows() -> impl IntoView {
    let context: LogsContext = expect_context();
    let list = context.list;
    let count = Memo::new(move |_| list.with(LogList::len));
    let rows_seen = Memo::new(move |_| {
        let scroll = context.scroll;
        ((scroll.top.get() + scroll.viewport.get()) / ROW_HEIGHT) as usize
    });
    // Older records are asked for well before the end is seen.
    Effect::new(move |_| {
        let (seen, count) = (rows_seen.get(), count.get());
        if count > 0 && seen * 10 >= count * 7 {
            context.load_older();
        }
    });
    Effect::new(move |_| {
        if context.scroll.top.get() < ROW_HEIGHT {
            context.unseen.set(0);
        }
    });
    let row = move |index: usize| {
        let record = list.with_untracked(|list| list.get(index).cloned());
        record.map(|record| row(context, index, &record).into_any()).unwrap_or_else(|| ().into_any())
    };
    let key = move |index: usize| {
        context.session.is_utc.track();
        list.with(|list| list.key_at(index).unwrap_or(0))
    };
    let date = move || {
        let first = (context.scroll.top.get() / ROW_HEIGHT) as usize;
        let time = list.with(|list| list.get(first).map(|record| record.time_unix_nano.0));
        time.map(|time| format::date(time, context.session.offset_minutes(time)))
    };
    view! {
        <div class="log-head label" aria-hidden="true">
            <span></span><span>{date}</span><span></span><span>"Service"</span><span>"Message"</span>
        </div>
        <VirtualList scroll=context.scroll count key row cursor=context.cursor
            role="grid" label="Log records, newest first" id="log"/>
        <Show when=move || { context.unseen.get() > 0 }>
            <button type="button" class="pill" data-testid="unseen" on:click=move |_| context.follow_newest()>
                {move || format!("↑ {} new", format::count(context.unseen.get() as u64))}
            </button>
        </Show>
        <div class="list-foot faint" role="status">
            {move || match (context.loads_older.get(), context.older_failed.get()) {
                (true, _) => Some("Loading older records…".into_any()),
                (_, true) => Some(view! {
                    <span>"Older records could not be loaded."</span>
                    <button type="button" class="button quiet" on:click=move |_| context.load_older()>"Try again"</button>
                }.into_any()),
                _ => None,
            }}
            {move || context.live_note.get()}
        </div>
    }
}

fn row(context: LogsContext, index: usize, record: &Arc<LogRecord>) -> impl IntoView + use<> {
    let severity = Severity::of(record.severity_number);
    let time = record.time_unix_nano.0;
    let offset = context.session.offset_minutes(time);
    let selected = move || context.cursor.get() == Some(index);
    let class = format!("log-row sev-{}", severity.name());
    let open = move |_| {
        let is_selecting = window().get_selection().ok().flatten().is_some_and(|selection| !selection.is_collapsed());
        if !is_selecting {
            context.open(index);
        }
    };
    let line = fields::one_line(&record.body);
    let pieces = context.words.with_untracked(|words| {
        highlight::pieces(&line, words)
            .into_iter()
            .map(|(marked, piece)| match marked {
                true => view! { <mark>{piece.to_owned()}</mark> }.into_any(),
                false => piece.to_owned().into_any(),
            })
            .collect_view()
    });
    let exact = format!("{} {}", format::exact(time, offset), format::zone(offset));
    view! {
        <div class=class class:selected=selected id=format!("log-{index}") role="row"
            aria-rowindex=(index + 1).to_string()
            aria-selected=move || selected().to_string() data-testid="log-row" style=row_style(index, ROW_HEIGHT)
            on:click=open>
            <span class="stripe" role="presentation"></span>
            <span class="mono muted log-time" role="gridcell" title=exact>{format::clock(time, offset)}</span>
            <span class="mono letter" role="gridcell" title=severity.name()>{severity.letter()}</span>
            <span class="log-service" role="gridcell">{service_tag(context.session, logs::service(record))}</span>
            <span class="mono log-body" role="gridcell">{chips(record)}{pieces}</span>
        </div>
    }
}

fn chips(record: &LogRecord) -> impl IntoView + use<> {
    let known = CHIPS.iter().filter_map(|name| record.attributes.get_key_value(*name));
    let others = record.attributes.iter().filter(|(name, value)| {
        !CHIPS.contains(&name.as_str())
            && !NO_CHIPS.iter().any(|prefix| name.starts_with(prefix))
            && !value.is_object()
            && !value.is_array()
            && fields::value_text(value).len() <= 16
    });
    let words = known.chain(others).take(CHIPS_MAX).map(|(name, value)| {
        let value = fields::value_text(value);
        match name.as_str() {
            "exception.type" => value.rsplit('.').next().unwrap_or_default().to_owned(),
            "http.response.status_code" | "http.route" => value,
            _ => format!("{}={value}", name.rsplit('.').next().unwrap_or_default()),
        }
    });
    let event = (!record.event_name.is_empty()).then(|| record.event_name.clone());
    event
        .into_iter()
        .chain(words)
        .take(CHIPS_MAX)
        .map(|text| view! { <span class="chip">{format::cut(&text, 28)}</span> })
        .collect_view()
}
