//! The list of traces.

use api::TraceSummary;
use leptos::prelude::*;
use ui_core::colour::fnv1a;
use ui_core::{format, order};

use super::{ROW_HEIGHT, TracesContext};
use crate::parts::list::{VirtualList, row_style};
use crate::parts::service_tag;

/// Services named in a row; the rest are counted.
const SERVICES_MAX: usize = 4;

/// The list.
#[component]
pub fn List() -> impl IntoView {
    let context: TracesContext = expect_context();
    let traces = context.traces;
    let count = Memo::new(move |_| traces.with(Vec::len));
    let longest =
        Memo::new(move |_| traces.with(|all| all.iter().map(|t| t.duration_nano.0).max().unwrap_or(1).max(1)));
    Effect::new(move |_| {
        let seen = ((context.scroll.top.get() + context.scroll.viewport.get()) / ROW_HEIGHT) as usize;
        if count.get() > 0 && seen * 10 >= count.get() * 7 {
            context.load_more();
        }
    });
    let key = move |index: usize| {
        context.session.is_utc.track();
        let longest = longest.get() as u64;
        traces.with(|all| all.get(index).map_or(0, |trace| fnv1a(&trace.trace_id) ^ trace.span_count ^ longest))
    };
    let row = move |index: usize| {
        let trace = traces.with_untracked(|all| all.get(index).cloned());
        trace
            .map(|trace| row(context, index, trace, longest.get_untracked()).into_any())
            .unwrap_or_else(|| ().into_any())
    };
    view! {
        <div class="trace-head label" aria-hidden="true">
            <span>"Start"</span><span>"Service and operation"</span><span>"Duration"</span>
            <span class="number">"Spans"</span><span class="number">"Errors"</span><span>"Services"</span>
        </div>
        <VirtualList scroll=context.scroll count key row cursor=context.cursor role="grid" label="Traces, newest first"
            id="trace"/>
        <div class="list-foot faint" role="status">{move || context.loads_more.get().then_some("Loading more traces…")}</div>
    }
}

fn row(context: TracesContext, index: usize, trace: TraceSummary, longest: i64) -> impl IntoView + use<> {
    let session = context.session;
    let time = trace.start_time_unix_nano.0;
    let offset = session.offset_minutes(time);
    let selected = move || context.cursor.get() == Some(index);
    let href = ui_core::state::trace_path(&trace.trace_id);
    let slot = session.slot(&trace.root_service);
    let share = trace.duration_nano.0.max(0) as f64 / longest as f64 * 100.0;
    let is_error = trace.error_count > 0;
    let others = trace.services.len().saturating_sub(SERVICES_MAX);
    let mut services: Vec<(&String, &u64)> = trace.services.iter().collect();
    order::sort(&mut services, |a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let services = services.into_iter().take(SERVICES_MAX).map(|(name, _)| service_tag(session, name)).collect_view();
    view! {
        <div class="trace-row" class:selected=selected class:failed=is_error id=format!("trace-{index}") role="row"
            aria-rowindex=(index + 1).to_string()
            aria-selected=move || selected().to_string() data-testid="trace-row" style=row_style(index, ROW_HEIGHT)>
            <span class="mono muted" role="gridcell"
                title=format!("{} {}", format::exact(time, offset), format::zone(offset))>
                <span class="faint">{format!("{} ", &format::date(time, offset)[5..])}</span>{format::clock(time, offset)}
            </span>
            <span class="trace-root" role="gridcell">
                <i class=format!("dot slot-{slot}") aria-hidden="true"></i>
                <a href=href class="trace-link cut" tabindex="-1" data-trace-id=trace.trace_id.clone()>
                    <span class="muted">{trace.root_service.clone()}</span>" "<span>{trace.root_name.clone()}</span>
                </a>
                {(!trace.has_root).then(|| view! { <span class="badge" title="The span without a parent has not arrived">"no root yet"</span> })}
                {is_error.then(|| view! { <span class="badge error">"error"</span> })}
            </span>
            <span class="trace-duration" role="gridcell">
                <span class="trace-track"><i class=format!("slot-{slot}") style=format!("width:{share:.2}%")></i></span>
                <span class="mono">{format::duration(trace.duration_nano.0)}</span>
            </span>
            <span class="number mono" role="gridcell">{format::count(trace.span_count)}</span>
            <span class="number mono" class:error-text=is_error
                role="gridcell">{if is_error { format::count(trace.error_count) } else { "–".to_owned() }}</span>
            <span class="trace-services" role="gridcell">{services}{(others > 0).then(|| view! { <span
                class="faint">{format!("+{others}")}</span> })}</span>
        </div>
    }
}
