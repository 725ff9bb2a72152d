//! One log record beside the list.

use leptos::prelude::*;
use serde_json::Value;
use ui_core::logs;
use ui_core::severity::Severity;
use ui_core::{fields, format};

use super::{ArcRecord, LogsContext, toggle_filter, use_panel_record};
use crate::pages::logs::trace_card::TraceCard;
use crate::parts::fields::{OnFilter, attribute_group, exception_card, field_row};
use crate::parts::icons::{self, icon};
use crate::parts::panel::{Tab, tabs};
use crate::parts::{CopyButton, service_tag};

/// The panel.
#[component]
pub fn Detail() -> impl IntoView {
    let context: LogsContext = expect_context();
    let record = use_panel_record(context);
    let close = move |_| context.close();
    view! {
        <aside class="panel" data-testid="log-detail" aria-label="Log record">
            {move || match record.get() {
                Some(record) => view! { <Record record/> }.into_any(),
                None => view! {
                    <div class="panel-head"><h2>"Log record"</h2><span class="gap"></span>
                        <button type="button" class="button quiet icon-only" aria-label="Close" title="Close (Esc)"
                            on:click=close>{icon(icons::CLOSE)}</button></div>
                    <p class="muted pad">"Looking for this record. If it does not appear, it is gone, or the link was cut."</p>
                }.into_any(),
            }}
        </aside>
    }
}

#[component]
fn Record(record: ArcRecord) -> impl IntoView {
    let context: LogsContext = expect_context();
    let session = context.session;
    let record = record.0;
    let severity = Severity::of(record.severity_number);
    let time = record.time_unix_nano.0;
    let body = fields::body_text(&record.body);
    let copied = body.clone();
    let tab = Signal::derive(move || context.state.with(|state| state.tab.clone()));
    let choose = Callback::new(move |tab: String| {
        let mut state = context.state.get_untracked();
        state.tab = tab;
        context.go(&state, true);
    });
    let heads = vec![Tab::plain("", "Record"), Tab::plain("json", "JSON")];
    let shown = record.clone();
    let content = move || match tab.get().as_str() {
        "json" => json_view(serde_json::to_value(&*shown).unwrap_or_default()).into_any(),
        _ => view! { <Overview record=ArcRecord(shown.clone())/> }.into_any(),
    };
    let service = logs::service(&record).to_owned();
    view! {
        <div class="panel-head">
            <span class=format!("mono letter sev-{}", severity.name()) title=severity.name()>{severity.letter()}</span>
            <h2 class="cut">{service_tag(session, &service)}</h2>
            <span class="mono muted cut" title=move || format::zone(session.offset_minutes(time))>
                {move || format::exact(time, session.offset_minutes(time))}
            </span>
            <span class="gap"></span>
            <button type="button" class="button quiet icon-only" aria-label="Newer record" title="Newer record (k)"
                on:click=move |_| context.step(-1)>{icon(icons::UP)}</button>
            <button type="button" class="button quiet icon-only" aria-label="Older record" title="Older record (j)"
                on:click=move |_| context.step(1)>{icon(icons::DOWN)}</button>
            <button type="button" class="button quiet icon-only" aria-label="Close" title="Close (Esc)"
                on:click=move |_| context.close()>{icon(icons::CLOSE)}</button>
        </div>
        <div class="body-card">
            <pre class="mono" tabindex="0" aria-label="Body"
                data-testid="log-detail-body">{if body.is_empty() { "(no body)".to_owned() } else { body }}</pre>
            <CopyButton label="Copy the body" text=Callback::new(move |()| copied.clone())/>
        </div>
        {tabs(heads, tab, choose)}
        <div class="panel-body" tabindex="0" role="tabpanel" aria-label="Details">{content}</div>
    }
}

#[component]
fn Overview(record: ArcRecord) -> impl IntoView {
    let context: LogsContext = expect_context();
    let record = record.0;
    let on_filter: OnFilter = Callback::new(move |(field, value, exclude): (String, String, bool)| {
        toggle_filter(context, &field, &value, exclude)
    });
    let severity = match record.severity_text.is_empty() {
        true => Severity::of(record.severity_number).name().to_owned(),
        false => record.severity_text.clone(),
    };
    let mut rows = vec![("severity", severity, Some("severity"))];
    let mut add = |name, value: &str, field| {
        if !value.is_empty() {
            rows.push((name, value.to_owned(), field));
        }
    };
    add("event_name", &record.event_name, Some("event_name"));
    add("trace_id", record.trace_id.as_deref().unwrap_or_default(), Some("trace_id"));
    add("span_id", record.span_id.as_deref().unwrap_or_default(), Some("span_id"));
    add("scope", &record.scope.name, Some("scope.name"));
    add("scope version", &record.scope.version, None);
    if record.dropped_attributes_count > 0 {
        rows.push(("dropped attributes", record.dropped_attributes_count.to_string(), None));
    }
    if let Some(observed) = record.observed_time_unix_nano.filter(|observed| *observed != record.time_unix_nano) {
        let delay = observed.0.saturating_sub(record.time_unix_nano.0);
        rows.push(("observed", format!("{} after the event", format::duration(delay)), None));
    }
    let rows = rows.into_iter().map(|(name, value, field)| {
        field_row(name.to_owned(), value, field.map(|field| (on_filter, field.to_owned())))
    });
    let trace = record.trace_id.clone().map(|trace_id| {
        view! { <TraceCard trace_id span_id=record.span_id.clone().unwrap_or_default()/> }
    });
    // What the card says is not said twice; the JSON tab has everything.
    let exception = fields::exception(&record.attributes);
    let mut attributes = record.attributes.clone();
    if exception.is_some() {
        attributes.retain(|name, _| name != "exception.message" && name != "exception.stacktrace");
    }
    view! {
        {trace}
        {exception.map(exception_card)}
        {attribute_group("Attributes", &attributes, "", Some(on_filter))}
        <h3 class="label group">"Record"</h3>
        <dl class="fields">{rows.collect_view()}</dl>
        {attribute_group("Resource", &record.resource.attributes, "resource.", Some(on_filter))}
        {attribute_group("Scope attributes", &record.scope.attributes, "", None)}
    }
}

/// A record as indented JSON.
fn json_view(value: Value) -> impl IntoView {
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    let copied = text.clone();
    view! {
        <div class="json">
            <CopyButton label="Copy the JSON" word="Copy" text=Callback::new(move |()| copied.clone())/>
            <pre class="mono">{text}</pre>
        </div>
    }
}
