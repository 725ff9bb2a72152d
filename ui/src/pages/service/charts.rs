//! Calls, errors and durations over time, side by side. Dragging across one looks at that time.

use std::sync::Arc;

use api::ServiceAnswer;
use leptos::prelude::*;
use ui_core::range::Window;
use ui_core::red;
use ui_core::time_chart::{Plot, Steps};

use super::ServiceContext;
use crate::parts::time_chart::{Chart, ChartLine, TimeChart};

/// The three charts.
#[component]
pub fn Charts() -> impl IntoView {
    let context: ServiceContext = expect_context();
    let hover = RwSignal::new(None);
    let zoom = Callback::new(move |window: Window| context.go(false, |state| state.range = window.to_text()));
    let chart = move |make: fn(&ServiceAnswer, Steps, Window) -> Chart| {
        Signal::derive(move || {
            let window = context.run.get()?.window;
            context.service.data.with(|answer| {
                let answer = answer.as_ref()?;
                Some(Arc::new(make(answer, Steps::of(&answer.steps), window)))
            })
        })
    };
    view! {
        <div class="charts">
            <TimeChart title="Calls a second" chart=chart(calls) zoom hover testid="chart-calls"/>
            <TimeChart title="Errors" chart=chart(errors) zoom hover testid="chart-errors"/>
            <TimeChart title="Duration" chart=chart(durations) zoom hover testid="chart-durations"/>
        </div>
    }
}

fn calls(answer: &ServiceAnswer, steps: Steps, window: Window) -> Chart {
    let values = red::rates(&answer.series.calls, steps, window);
    let plot = Plot::new(steps, window, [values.as_slice()], 0.0);
    let line = ChartLine { name: "calls".into(), class: "line-calls".into(), values, is_filled: true };
    Chart { plot, lines: vec![line], print: Box::new(red::rate_words) }
}

fn errors(answer: &ServiceAnswer, steps: Steps, window: Window) -> Chart {
    let values = red::shares(&answer.series.calls, &answer.series.errors);
    let plot = Plot::new(steps, window, [values.as_slice()], red::TROUBLE_SHARE);
    let line = ChartLine { name: "failed".into(), class: "line-error".into(), values, is_filled: true };
    Chart { plot, lines: vec![line], print: Box::new(red::share_tick) }
}

fn durations(answer: &ServiceAnswer, steps: Steps, window: Window) -> Chart {
    let series = &answer.series;
    let line = |name: &str, nanos: &[Option<u64>]| ChartLine {
        name: name.into(),
        class: format!("line-{name}"),
        values: red::durations(nanos),
        is_filled: false,
    };
    let lines = vec![line("p50", &series.p50_nano), line("p95", &series.p95_nano), line("p99", &series.p99_nano)];
    let plot = Plot::new(steps, window, lines.iter().map(|line| line.values.as_slice()), 0.0);
    Chart { plot, lines, print: Box::new(red::duration_words) }
}
