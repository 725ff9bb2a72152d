//! The table of services.

use api::ServiceSummary;
use leptos::prelude::*;
use ui_core::colour::fnv1a;
use ui_core::format;
use ui_core::range::Window;
use ui_core::red;
use ui_core::service_state::{logs_url, service_url, trace_url};
use ui_core::sort::{Column, Sort};
use ui_core::time_chart::Steps;

use super::{ROW_HEIGHT, ServicesContext};
use crate::parts::list::{VirtualList, row_style};
use crate::parts::red::{Sparks, p99_class, rate_words, share_class, share_words, sort_head};
use crate::session;

/// The table.
#[component]
pub fn Table() -> impl IntoView {
    let context: ServicesContext = expect_context();
    let sort = Signal::derive(move || context.state.with(|state| state.sort));
    let choose = Callback::new(move |sort: Sort| context.go(false, |state| state.sort = sort));
    let head = move |title, column, is_number| sort_head(title, column, sort, choose, is_number);
    let count = Memo::new(move |_| context.rows.with(|rows| rows.len()));
    let key = move |index: usize| {
        context.session.is_utc.track();
        let answer = context.answer.data.get();
        let service = context.rows.with(|rows| rows.get(index).copied());
        let name = service.and_then(|service| Some(fnv1a(&answer.as_ref()?.services.get(service)?.name)));
        // A fresh answer has fresh numbers in every row.
        name.unwrap_or(0) ^ answer.map_or(0, |answer| std::sync::Arc::as_ptr(&answer) as u64)
    };
    let row = move |index: usize| {
        let service = context.rows.with_untracked(|rows| rows.get(index).copied());
        let (Some(answer), Some(run)) = (context.answer.data.get_untracked(), context.run.get_untracked()) else {
            return ().into_any();
        };
        match service.and_then(|service| answer.services.get(service)) {
            Some(service) => row(context, index, service, Steps::of(&answer.steps), run.window).into_any(),
            None => ().into_any(),
        }
    };
    view! {
        <div class="service-head" role="group" aria-label="Order of the table">
            {head("Service", Column::Name, false)}
            {head("Calls", Column::Calls, true)}<span></span>
            {head("Errors", Column::Errors, true)}<span></span>
            {head("p50", Column::P50, true)}
            {head("p99", Column::P99, true)}<span></span>
            <span class="label latest">"Latest error"</span>
            {head("Instances", Column::Instances, true)}
            {head("Last seen", Column::LastSeen, true)}
        </div>
        <VirtualList scroll=context.scroll count key row cursor=context.cursor role="grid" label="Services" id="service"/>
        <Show when=move || count.get() == 0>
            <div class="state" data-testid="no-match">
                <h2>"No service has this in its name"</h2>
                <button type="button" class="button" on:click=move |_| context.go(false, |state| state.filter = String::new())>
                    "Show all services"</button>
            </div>
        </Show>
    }
}

fn row(
    context: ServicesContext,
    index: usize,
    service: &ServiceSummary,
    steps: Steps,
    window: Window,
) -> impl IntoView + use<> {
    let range = context.state.with_untracked(|state| state.range.clone());
    let selected = move || context.cursor.get() == Some(index);
    let sparks = Sparks::of(&service.series, &service.red, steps, window);
    let slot = context.session.slot(&service.name);
    // Who sends no name has no page: its records are found by that.
    let (href, name) = match service.name.is_empty() {
        true => (logs_url("", &range), "no service.name".to_owned()),
        false => (service_url(&service.name, &range), service.name.clone()),
    };
    let seen = service.last_seen_unix_nano.0;
    let offset = context.session.offset_minutes(seen);
    let instances = if service.instance_count == 0 { "–".to_owned() } else { format::count(service.instance_count) };
    view! {
        <div class="service-row" class:selected=selected id=format!("service-{index}") role="row"
            aria-rowindex=(index + 1).to_string() aria-selected=move || selected().to_string() data-testid="service-row"
            style=row_style(index, ROW_HEIGHT)>
            <span class="service" role="gridcell"><i class=format!("dot slot-{slot}") aria-hidden="true"></i>
                <a href=href class="row-link cut" tabindex="-1" title=name.clone()>{name.clone()}</a></span>
            <span class="number" role="gridcell" title=format::counted(service.red.calls, "call")>{rate_words(&service.red, window)}</span>
            <span class="spark-cell" role="gridcell">{sparks.calls}</span>
            <span class=share_class(red::share(&service.red)) role="gridcell"
                title=format!("{} failed", format::counted(service.red.errors, "call"))>{share_words(&service.red)}</span>
            <span class="spark-cell" role="gridcell">{sparks.errors}</span>
            <span class="number muted" role="gridcell">{red::nano_words(service.red.p50_nano)}</span>
            <span class=p99_class(sparks.has_risen) role="gridcell">{red::nano_words(service.red.p99_nano)}</span>
            <span class="spark-cell" role="gridcell">{sparks.p99}</span>
            <span class="latest cut" role="gridcell">{latest_error(service)}</span>
            <span class="number instances" role="gridcell">{instances}</span>
            <span class="number faint" role="gridcell" title=format!("{} {}", format::exact(seen, offset), format::zone(offset))>
                {format::ago(seen, session::now())}</span>
        </div>
    }
}

/// The newest failed span, as a way to its trace; else what the service sends besides calls.
fn latest_error(service: &ServiceSummary) -> AnyView {
    let Some(error) = &service.latest_error else {
        let words = match (service.span_count, service.log_count) {
            (0, 1..) => Some(format!("logs only, {}", format::counted(service.log_count, "record"))),
            _ => None,
        };
        return view! { <span class="faint">{words}</span> }.into_any();
    };
    let title = red::error_title(error).into_owned();
    let hover = format!("{}\n{}", error.operation, error.message);
    match &error.trace_id {
        Some(id) => view! {
            <a class="mono error-link" href=trace_url(id, error.span_id.as_deref()) tabindex="-1" title=hover
                data-testid="latest-error">{title}</a>
        }
        .into_any(),
        None => view! { <span class="mono" title=hover>{title}</span> }.into_any(),
    }
}
