//! Records over time, stacked by severity. Dragging across it looks at that time.

use api::HistogramAnswer;
use leptos::html::Div;
use leptos::prelude::*;
use ui_core::{axis, format, histogram};

use super::LogsContext;
use crate::parts::{capture_pointer, share_at};
use crate::query::Query;

/// The histogram.
#[component]
pub fn Histogram(histogram: Query<HistogramAnswer>) -> impl IntoView {
    let context: LogsContext = expect_context();
    let node = NodeRef::<Div>::new();
    let hover = RwSignal::new(None::<f64>);
    let drag = RwSignal::new(None::<f64>);
    let share = move |client_x: i32| share_at(node, client_x);
    let down = move |event: leptos::ev::PointerEvent| {
        if event.button() == 0 {
            capture_pointer(node, &event);
            drag.set(Some(share(event.client_x())));
        }
    };
    let up = move |event: leptos::ev::PointerEvent| {
        let Some(from) = drag.get_untracked() else { return };
        drag.set(None);
        let to = share(event.client_x());
        // A click is no drag: it would zoom into one bar by accident.
        if (to - from).abs() < 0.004 {
            return;
        }
        let window =
            histogram.data.with_untracked(|answer| answer.as_ref().and_then(|a| histogram::selection(a, from, to)));
        if let Some(window) = window {
            context.zoom(window.to_text());
        }
    };
    let selection = move || {
        let (from, to) = (drag.get()?, hover.get()?);
        let (left, width) = (from.min(to) * 100.0, (to - from).abs() * 100.0);
        Some(view! { <div class="histogram-selection" style=format!("left:{left}%;width:{width}%")></div> })
    };
    let hint = move || {
        let at = hover.get()?;
        let words = histogram.data.with(|answer| {
            let answer = answer.as_deref()?;
            let bucket = histogram::bucket_at(answer, at)?;
            let time = answer.buckets[bucket].time_unix_nano.0;
            Some(histogram::bucket_words(answer, bucket, context.session.offset_minutes(time)))
        })?;
        let side = if at > 0.6 { format!("right:{}%", (1.0 - at) * 100.0) } else { format!("left:{}%", at * 100.0) };
        Some(view! { <div class="tooltip" style=side>{words}</div> })
    };
    view! {
        <div class="histogram" data-testid="histogram">
            <div class="histogram-plot" node_ref=node on:pointerdown=down on:pointerup=up
                on:pointermove=move |event| hover.set(Some(share(event.client_x())))
                on:pointerleave=move |_| if drag.get_untracked().is_none() { hover.set(None) }
                on:pointercancel=move |_| drag.set(None)>
                {move || histogram.data.get().map(|answer| bars(&answer))}
                {selection}
                {hint}
            </div>
            <div class="histogram-axis label" aria-hidden="true">{move || histogram.data.get().map(|answer| ticks(context, &answer))}</div>
        </div>
    }
}

fn bars(answer: &HistogramAnswer) -> impl IntoView + use<> {
    let bars = histogram::bars(answer);
    let totals: Vec<String> =
        bars.totals.iter().map(|(severity, count)| format!("{} {}", severity.name(), format::count(*count))).collect();
    let label = match totals.is_empty() {
        true => "Histogram: no records".to_owned(),
        false => format!("Histogram of records by severity: {}", totals.join(", ")),
    };
    let paths = bars.paths.into_iter().map(|(severity, path)| {
        view! { <path class=format!("fill-{}", severity.name()) d=path></path> }
    });
    view! {
        <svg viewBox=format!("0 0 {} {}", bars.width.max(1), bars.height) preserveAspectRatio="none" role="img"
            aria-label=label>
            {paths.collect_view()}
        </svg>
    }
}

fn ticks(context: LogsContext, answer: &HistogramAnswer) -> impl IntoView + use<> {
    let (start, end) = (answer.start_unix_nano.0, answer.end_unix_nano.0);
    let length = end.saturating_sub(start);
    let offset = context.session.offset_minutes(start);
    axis::clock_ticks(start, end, 7, offset)
        .into_iter()
        .map(|time| {
            let at = time.saturating_sub(start) as f64 / length.max(1) as f64 * 100.0;
            let words = format::window_end(time, length, start, offset);
            view! { <span style=format!("left:{at}%")>{words}</span> }
        })
        .collect_view()
}
