//! One span beside the waterfall.

use std::sync::Arc;

use api::{Event, Exemplar, Link, Span};
use leptos::prelude::*;
use ui_core::severity::Severity;
use ui_core::state::{LogPanel, LogsState, TraceState, UrlState};
use ui_core::{fields, format, logs};

use super::{TraceContext, TraceData};
use crate::parts::fields::{attribute_group, exception_card, field_row};
use crate::parts::icons::{self, icon};
use crate::parts::panel::{Tab, tabs};
use crate::parts::{CopyButton, service_tag};

const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/// A span in full, with what the trace knows of it.
#[derive(Clone)]
struct Chosen {
    data: Arc<TraceData>,
    index: usize,
    span: Arc<Span>,
}

/// The panel.
#[component]
pub fn SpanPanel() -> impl IntoView {
    let context: TraceContext = expect_context();
    let chosen = move || {
        let (index, data) = (context.selected.get()? as usize, context.trace.data.get()?);
        let span = Arc::new(data.document.span(index)?);
        Some(Chosen { data, index, span })
    };
    view! {
        <aside class="panel" data-testid="span-detail" aria-label="Span">
            {move || chosen().map(|chosen| panel(context, chosen))}
        </aside>
    }
}

fn panel(context: TraceContext, chosen: Chosen) -> impl IntoView + use<> {
    let Chosen { data, index, span } = chosen.clone();
    let (document, layout) = (&data.document, &data.layout);
    let head = &document.spans[index];
    let kind = KINDS.get(span.kind as usize).copied().unwrap_or("unspecified");
    let words = format!(
        "{kind} · {}, {} of it here · {} of the trace · started +{}",
        format::duration(head.duration()),
        format::duration(layout.self_time[index]),
        format::percent(head.duration(), layout.duration()),
        format::duration(head.start.saturating_sub(layout.start)),
    );
    let exceptions = span.events.iter().filter(|event| event.name == "exception").count();
    let other_events = span.events.len() - exceptions;
    let heads = vec![
        Tab::plain("", "Span"),
        Tab::counted("events", "Events", other_events + exceptions),
        Tab::counted("logs", "Logs", document.logs_of(index).len()),
        Tab::counted("exemplars", "Exemplars", document.exemplars_of(index).len()),
        Tab::counted("links", "Links", span.links.len()),
        Tab::plain("json", "JSON"),
    ];
    let tab = Signal::derive(move || context.state.with(|state| state.tab.clone()));
    let choose = Callback::new(move |tab: String| context.go(true, |state| state.tab = tab));
    let is_error = head.is_error;
    let service = document.service(head.service).to_owned();
    let content = move || match tab.get().as_str() {
        "events" => events(&chosen).into_any(),
        "logs" => span_logs(context, &chosen).into_any(),
        "exemplars" => exemplars(&chosen).into_any(),
        "links" => links(&chosen.span.links).into_any(),
        "json" => json(&chosen).into_any(),
        _ => overview(&chosen).into_any(),
    };
    view! {
        <div class="panel-head">
            <h2 class="cut" title=span.name.clone() data-testid="span-detail-name">{span.name.clone()}</h2>
            {is_error.then(|| view! { <span class="badge error">"error"</span> })}
            <span class="gap"></span>
            <button type="button" class="button quiet icon-only" aria-label="Close" title="Close (Esc)"
                on:click=move |_| context.close()>{icon(icons::CLOSE)}</button>
        </div>
        <div class="panel-sub muted">{service_tag(context.session, &service)}<span>{words}</span></div>
        {tabs(heads, tab, choose)}
        <div class="panel-body" tabindex="0" role="tabpanel" aria-label="Details">{content}</div>
    }
}

fn overview(chosen: &Chosen) -> impl IntoView + use<> {
    let span = &chosen.span;
    let document = &chosen.data.document;
    let exceptions = span.events.iter().filter_map(|event| fields::exception(&event.attributes)).take(3);
    let status = (!span.status.message.is_empty()).then(|| {
        view! { <div class="exception"><strong>"Status: error"</strong><div class="wrap">{span.status.message.clone()}</div></div> }
    });
    let mut rows = vec![("span_id", span.span_id.clone())];
    if let Some(parent) = &span.parent_span_id {
        rows.push(("parent_span_id", parent.clone()));
    }
    let mut add = |name, value: &str| {
        if !value.is_empty() {
            rows.push((name, value.to_owned()));
        }
    };
    add("scope", &span.scope.name);
    add("scope version", &span.scope.version);
    add("trace_state", &span.trace_state);
    for (name, count) in [
        ("dropped attributes", span.dropped_attributes_count),
        ("dropped events", span.dropped_events_count),
        ("dropped links", span.dropped_links_count),
    ] {
        if count > 0 {
            add(name, &count.to_string());
        }
    }
    let service = document.service(document.spans[chosen.index].service);
    let around = logs_url(chosen, &fields::filter_term("service", service, false));
    view! {
        {exceptions.map(exception_card).collect_view()}
        {status}
        {attribute_group("Attributes", &span.attributes, "", None)}
        {document.is_brief.then(|| view! { <p class="muted" role="status">"Attributes and events of this large trace are on their way."</p> })}
        <h3 class="label group">"Span"</h3>
        <dl class="fields">{rows.into_iter().map(|(name, value)| field_row(name.to_owned(), value, None)).collect_view()}</dl>
        {attribute_group("Resource", &span.resource.attributes, "", None)}
        <h3 class="label group">"Go to"</h3>
        <ul class="links">
            <li><a href=around>"Logs of this service around this span"</a></li>
            <li><a href=format!("/traces?service={}", ui_core::params::encode(service))>"Traces of this service, last hour"</a></li>
        </ul>
    }
}

/// The logs page with a filter, from a little before the span to a little after.
fn logs_url(chosen: &Chosen, query: &str) -> String {
    let head = &chosen.data.document.spans[chosen.index];
    let margin = 30 * ui_core::range::SECOND;
    let window = ui_core::range::Window {
        start: head.start.saturating_sub(margin),
        end: head.end.max(head.start).saturating_add(margin),
    };
    LogsState { query: query.to_owned(), range: window.to_text(), ..LogsState::default() }.url()
}

fn events(chosen: &Chosen) -> impl IntoView + use<> {
    let start = chosen.data.layout.start;
    let event = move |event: &Event| {
        let since = event.time_unix_nano.0.saturating_sub(start);
        view! {
            <section class="event">
                <div class="line"><b class="cut">{event.name.clone()}</b><span class="gap"></span><span
                    class="mono faint">{format!("+{}", format::duration(since))}</span></div>
                {fields::exception(&event.attributes).map(exception_card)}
                {attribute_group("Attributes", &event.attributes, "", None)}
            </section>
        }
    };
    chosen.span.events.iter().map(event).collect_view()
}

fn span_logs(context: TraceContext, chosen: &Chosen) -> impl IntoView + use<> {
    let document = &chosen.data.document;
    let start = chosen.data.layout.start;
    let rows = document.logs_of(chosen.index).into_iter().take(500).filter_map(|index| {
        let (head, record) = (&document.logs[index], document.log(index)?);
        let severity = Severity::of(head.severity);
        let margin = 5 * ui_core::range::MINUTE;
        let window =
            ui_core::range::Window { start: head.time.saturating_sub(margin), end: head.time.saturating_add(margin) };
        let state = LogsState {
            query: format!("trace_id:{}", context.trace_id.get_untracked()),
            range: window.to_text(),
            panel: Some(LogPanel { time: head.time, key: logs::key(&record) }),
            ..LogsState::default()
        };
        Some(view! {
            <a class=format!("span-log sev-{}", severity.name()) href=state.url() data-testid="span-log">
                <span class="mono letter" title=severity.name()>{severity.letter()}</span>
                <span class="mono faint">{format!("+{}", format::duration(head.time.saturating_sub(start)))}</span>
                <span class="mono wrap">{format::cut(&fields::body_text(&record.body), 2_000)}</span>
            </a>
        })
    });
    view! { <div class="span-logs">{rows.collect_view()}</div> }
}

fn exemplars(chosen: &Chosen) -> impl IntoView + use<> {
    let start = chosen.data.layout.start;
    let exemplar = move |exemplar: &Exemplar| {
        let value = format!("{} {}", fields::value_text(&exemplar.value), exemplar.unit);
        let since = format!("+{}", format::duration(exemplar.time_unix_nano.0.saturating_sub(start)));
        view! {
            <section class="event" data-testid="exemplar">
                <div class="line"><b class="mono cut">{exemplar.metric.clone()}</b><span class="gap"></span><span
                    class="mono">{value}</span></div>
                <p class="faint">{format!("{} · {since}", exemplar.service_name)}</p>
                {attribute_group("Attributes", &exemplar.attributes, "", None)}
            </section>
        }
    };
    chosen.data.document.exemplars_of(chosen.index).into_iter().map(exemplar).collect_view()
}

fn links(links: &[Link]) -> impl IntoView + use<> {
    let link = |link: &Link| {
        let target = link.trace_id.clone().map(|trace_id| {
            let span = link.span_id.clone().unwrap_or_default();
            let href = TraceState { span: span.clone(), ..TraceState::default() }.url_of(&trace_id, "");
            view! { <a href=href class="mono">{format!("{trace_id} {span}")}</a> }
        });
        view! { <section class="event">{target}{attribute_group("Attributes", &link.attributes, "", None)}</section> }
    };
    links.iter().map(link).collect_view()
}

fn json(chosen: &Chosen) -> impl IntoView + use<> {
    let text = serde_json::to_string_pretty(&chosen.data.document.span_json(chosen.index)).unwrap_or_default();
    let copied = text.clone();
    view! {
        <div class="json">
            <CopyButton label="Copy the JSON" word="Copy" text=Callback::new(move |()| copied.clone())/>
            <pre class="mono">{text}</pre>
        </div>
    }
}
