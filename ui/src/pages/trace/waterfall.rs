//! The waterfall: one row of the document for each row near the viewport, and no other.

use leptos::prelude::*;
use ui_core::axis;
use ui_core::format;
use ui_core::severity::Severity;
use ui_core::trace::Row;

use super::{ROW_HEIGHT, TraceContext, TraceData};
use crate::parts::icons::{self, icon};
use crate::parts::list::{VirtualList, row_style};

/// Pixels a level is indented.
const INDENT: u16 = 12;
/// Levels that are indented; deeper ones stay there, so that names keep room.
const INDENT_LEVELS_MAX: u16 = 11;

/// Log records drawn on a bar at most.
const TICKS_MAX: usize = 40;

/// The waterfall.
#[component]
pub fn Waterfall() -> impl IntoView {
    let context: TraceContext = expect_context();
    let count = Memo::new(move |_| context.rows.with(|rows| rows.0.len()));
    let key = move |index: usize| {
        let row = context.rows.with(|rows| rows.0.get(index).copied());
        let collapsed = match row {
            Some(Row::Span(span)) => context.collapsed.with(|collapsed| collapsed.contains(&span)),
            _ => false,
        };
        // Rows are made anew for another zoom, so that none of their parts has to listen for one.
        let (from, to) = zoom(context);
        let data = context.trace.data.with(|data| data.as_ref().map_or(0, |d| std::sync::Arc::as_ptr(d) as u64));
        row_key(row, collapsed, data ^ from.to_bits().rotate_left(7) ^ to.to_bits().rotate_left(31))
    };
    let row = move |index: usize| {
        let row = context.rows.with_untracked(|rows| rows.0.get(index).copied());
        let (Some(row), Some(data)) = (row, context.data()) else { return ().into_any() };
        match row {
            Row::Span(span) => span_row(context, &data, index, span).into_any(),
            Row::Log { log, depth } => log_row(context, &data, index, log, depth).into_any(),
            Row::MoreLogs { span, count } => more_row(context, &data, index, span, count).into_any(),
            Row::Loose { count } => loose_row(index, count).into_any(),
        }
    };
    view! {
        <section class="waterfall" aria-label="Waterfall">
            <div class="waterfall-axis label" aria-hidden="true">
                <span class="axis-name">"Service and operation"</span>
                <div class="axis-track">{move || context.trace.data.get().map(|data| ticks(context, &data))}</div>
            </div>
            <VirtualList scroll=context.scroll count key row cursor=context.cursor role="treegrid" label="Spans"
                id="row"/>
        </section>
    }
}

fn row_key(row: Option<Row>, collapsed: bool, data: u64) -> u64 {
    let number = match row {
        Some(Row::Span(span)) => u64::from(span) << 3 | u64::from(collapsed),
        Some(Row::Log { log, .. }) => u64::from(log) << 3 | 2,
        Some(Row::MoreLogs { span, .. }) => u64::from(span) << 3 | 3,
        Some(Row::Loose { .. }) => 4,
        None => 5,
    };
    number ^ data.rotate_left(20)
}

/// The part of the trace that is shown, as shares.
fn zoom(context: TraceContext) -> (f64, f64) {
    context.state.with(|state| state.zoom).unwrap_or((0.0, 1.0))
}

fn ticks(context: TraceContext, data: &TraceData) -> impl IntoView + use<> {
    let length = data.layout.duration();
    let (from, to) = zoom(context);
    let shown = ((length as f64) * (to - from)) as i64;
    let offset = (length as f64 * from) as i64;
    // Round times of the whole trace, placed in the part that is shown.
    let (first, step) = match axis::duration_ticks(shown.max(1), 5).get(1) {
        Some((step, _)) => (offset.div_euclid((*step).max(1)) * *step, *step),
        None => (0, shown.max(1)),
    };
    (0..8)
        .map(|n| first.saturating_add(step.saturating_mul(n)))
        .filter(|at| *at >= offset && *at < offset.saturating_add(shown))
        .map(|at| {
            let left = (at - offset) as f64 / shown.max(1) as f64 * 100.0;
            let words = if at == 0 { "0".to_owned() } else { format::duration(at) };
            view! { <span style=format!("left:{left:.2}%")>{words}</span> }
        })
        .collect_view()
}

fn indent(depth: u16) -> String {
    format!("padding-left:{}px", 8 + depth.min(INDENT_LEVELS_MAX) * INDENT)
}

/// Where a share of the trace is drawn under the zoom, in percent.
fn place(share: f64, (from, to): (f64, f64)) -> f64 {
    (share - from) / (to - from).max(1e-9) * 100.0
}

fn span_row(context: TraceContext, data: &TraceData, index: usize, span: u32) -> impl IntoView + use<> {
    let (document, layout) = (&data.document, &data.layout);
    let at = span as usize;
    let head = &document.spans[at];
    let below = layout.descendants[at];
    let is_collapsed = context.collapsed.with_untracked(|collapsed| collapsed.contains(&span));
    let selected = move || context.selected.get() == Some(span);
    let class = move || {
        let on = |on: bool, class: &'static str| if on { class } else { "" };
        let is_match = context.match_set.with(|set| set.contains(&span));
        let here = context.cursor.get() == Some(index);
        format!("span-row{}{}{}", on(selected(), " selected"), on(here, " here"), on(is_match, " match"))
    };
    let open = move |_| {
        context.cursor.set(Some(index));
        context.open(span);
    };
    view! {
        <div class=class id=format!("row-{index}")
            role="row" aria-rowindex=(index + 1).to_string() attr:aria-level=(u32::from(layout.depth[at]) + 1).to_string()
            aria-expanded=(below > 0).then(|| (!is_collapsed).to_string()) aria-selected=move || selected().to_string()
            data-testid="span-row" data-span-id=format!("{:016x}", head.id) style=row_style(index, ROW_HEIGHT)
            on:click=open>
            {span_name(context, data, span, is_collapsed)}
            {span_track(context, data, at)}
        </div>
    }
}

/// The left cell of a span: where it stands in the tree, and what it is.
fn span_name(context: TraceContext, data: &TraceData, span: u32, is_collapsed: bool) -> impl IntoView + use<> {
    let (document, layout) = (&data.document, &data.layout);
    let head = &document.spans[span as usize];
    let service = document.service(head.service).to_owned();
    let slot = context.session.slot(&service);
    let below = u64::from(layout.descendants[span as usize]);
    let errors_below = layout.errors_below[span as usize];
    let toggle = move |event: leptos::ev::MouseEvent| {
        event.stop_propagation();
        context.toggle(span);
    };
    let caret = match below {
        0 => view! { <span class="caret"></span> }.into_any(),
        _ => view! {
            <span class="caret" class:closed=is_collapsed title=format!("{} below (x)", format::counted(below, "span"))
                data-testid="caret" on:click=toggle>{icon(icons::DOWN)}</span>
        }
        .into_any(),
    };
    view! {
        <span class="name" role="gridcell" style=indent(layout.depth[span as usize])>
            {caret}
            <i class=format!("dot slot-{slot}") aria-hidden="true"></i>
            <span class="operation cut" title=head.name.to_string()>{head.name.to_string()}</span>
            <span class="muted cut small">{service}</span>
            {is_collapsed.then(|| view! { <span class="badge">{format!("+{}", format::short_count(below))}</span> })}
            {head.is_error.then(|| view! { <span class="badge error">"error"</span> })}
            {(is_collapsed && errors_below > 0).then(|| view! { <span class="badge error">{format!("{errors_below} below")}</span> })}
        </span>
    }
}

/// The right cell of a span: its bar, its log records as ticks, its duration beside or on the bar.
fn span_track(context: TraceContext, data: &TraceData, span: usize) -> impl IntoView + use<> {
    let (document, layout) = (&data.document, &data.layout);
    let head = &document.spans[span];
    let (start, end) = (layout.share(head.start), layout.share(head.end.max(head.start)));
    let zoom = untrack(|| zoom(context));
    let (left, right) = (place(start, zoom).clamp(-1.0, 101.0), place(end, zoom).clamp(-1.0, 101.0));
    let bar_style = format!("left:{left:.3}%;width:{:.3}%", (right - left).max(0.0));
    let fills = place(end, zoom) >= 86.0 && place(start, zoom) <= 14.0;
    let ticks = document.logs_of(span).into_iter().take(TICKS_MAX).filter_map(|log| {
        let log = &document.logs[log];
        let at = place(layout.share(log.time), zoom);
        let class = format!("tick sev-{}", Severity::of(log.severity).name());
        (0.0..=100.0).contains(&at).then(|| view! { <i class=class style=format!("left:{at:.3}%")></i> })
    });
    // Red is for where an error began; a span that only passed it on keeps its service's colour and says "error".
    let bar_class = match layout.is_error_origin(document, span) {
        true => "bar error".to_owned(),
        false => format!("bar slot-{}", context.session.slot(document.service(head.service))),
    };
    view! {
        <span class="track" role="gridcell">
            <span class=bar_class style=bar_style></span>
            {ticks.collect_view()}
            <span class="duration" class:inside=fills style=duration_style(start, end, zoom)>
                {format::duration(head.duration())}
            </span>
        </span>
    }
}

/// Where the duration stands: behind the bar, before it where there is no room, on it where it fills the row.
fn duration_style(start: f64, end: f64, zoom: (f64, f64)) -> String {
    let (left, right) = (place(start, zoom), place(end, zoom));
    match (left, right) {
        (left, right) if right < 0.0 || left > 100.0 => "display:none".to_owned(),
        (_, right) if right < 86.0 => format!("left:{right:.3}%"),
        (left, _) if left > 14.0 => format!("right:{:.3}%", 100.0 - left),
        (_, right) => format!("right:calc({:.3}% + 4px)", (100.0 - right).max(0.0)),
    }
}

fn log_row(context: TraceContext, data: &TraceData, index: usize, log: u32, depth: u16) -> impl IntoView + use<> {
    let (document, layout) = (&data.document, &data.layout);
    let head = &document.logs[log as usize];
    let severity = Severity::of(head.severity);
    let share = layout.share(head.time);
    let since = head.time.saturating_sub(layout.start);
    let since = if since < 0 { format::duration(since) } else { format!("+{}", format::duration(since)) };
    let here = move || context.cursor.get() == Some(index);
    let open = move |_| {
        context.cursor.set(Some(index));
        context.open_row(index);
    };
    let at = place(share, untrack(|| zoom(context)));
    let marker = (0.0..=100.0)
        .contains(&at)
        .then(|| view! { <i class=format!("moment sev-{}", severity.name()) style=format!("left:{at:.3}%")></i> });
    view! {
        <div class=format!("log-line sev-{}", severity.name()) class:here=here id=format!("row-{index}") role="row"
            aria-rowindex=(index + 1).to_string()
            attr:aria-level=(u32::from(depth) + 2).to_string() data-testid="trace-log-row"
            style=row_style(index, ROW_HEIGHT) on:click=open>
            <span class="name" role="gridcell" style=indent(depth + 1)>
                <span class="mono letter" title=severity.name()>{severity.letter()}</span>
                <span class="mono faint">{since}</span>
            </span>
            <span class="track" role="gridcell">{marker}<span
                class="mono log-text">{format::cut(&head.line, 400)}</span></span>
        </div>
    }
}

fn more_row(context: TraceContext, data: &TraceData, index: usize, span: u32, count: u32) -> impl IntoView + use<> {
    let depth = data.layout.depth[span as usize];
    let open = move |_| context.open_row(index);
    view! {
        <div class="log-line" id=format!("row-{index}") role="row" aria-rowindex=(index + 1).to_string()
            style=row_style(index, ROW_HEIGHT) on:click=open>
            <span class="name" role="gridcell" style=indent(depth + 1)></span>
            <span class="track" role="gridcell"><span
                class="log-text link">{format!("{} more in this span", format::counted(u64::from(count), "record"))}</span></span>
        </div>
    }
}

fn loose_row(index: usize, count: u32) -> impl IntoView {
    view! {
        <div class="log-line heading" id=format!("row-{index}") role="row" aria-rowindex=(index + 1).to_string()
            style=row_style(index, ROW_HEIGHT)>
            <span class="name label" role="gridcell">"In no span stored here"</span>
            <span class="track label" role="gridcell"><span
                class="log-text">{format::counted(u64::from(count), "log record")}</span></span>
        </div>
    }
}
