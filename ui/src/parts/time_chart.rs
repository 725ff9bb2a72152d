//! Lines over time with their scale, the values under the pointer, and a drag that chooses a time range; and lines
//! without any of it, as small as a word.
//!
//! Charts that share a `hover` signal point at the same moment together.

use std::sync::Arc;

use leptos::html::Div;
use leptos::prelude::*;
use ui_core::range::Window;
use ui_core::time_chart::{self, HEIGHT, Plot, WIDTH};
use ui_core::{axis, format};

use crate::parts::{capture_pointer, share_at};
use crate::session::Session;

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartLine {
    /// What it is, for the legend and the tooltip.
    pub name: String,
    /// Class that sets its `--line-colour`.
    pub class: String,
    /// A value a step.
    pub values: Vec<Option<f64>>,
    /// Whether the area below it is filled.
    pub is_filled: bool,
}

/// What a chart shows.
pub struct Chart {
    /// Its scales.
    pub plot: Plot,
    /// Its lines, the first at the back.
    pub lines: Vec<ChartLine>,
    /// Prints a value with its unit.
    pub print: Box<dyn Fn(f64) -> String + Send + Sync>,
}

impl Chart {
    /// Its lines in words, for those who do not see them.
    fn words(&self, title: &str) -> String {
        let lines: Vec<String> =
            self.lines.iter().map(|line| time_chart::line_words(&line.name, &line.values, &self.print)).collect();
        format!("{title} over time. {}.", lines.join("; "))
    }
}

/// The chart.
#[component]
pub fn TimeChart(
    /// What it shows, in a word or two.
    #[prop(into)]
    title: String,
    /// What it shows.
    #[prop(into)]
    chart: Signal<Option<Arc<Chart>>>,
    /// Looks at another time.
    zoom: Callback<Window>,
    /// How far across the pointer is, 0 to 1, shared by charts of the same window.
    hover: RwSignal<Option<f64>>,
    /// Says where tests find it.
    testid: &'static str,
) -> impl IntoView {
    let session = Session::get();
    let node = NodeRef::<Div>::new();
    let (heading, label) = (title.clone(), title.clone());
    let drag = RwSignal::new(None::<f64>);
    let has_pointer = RwSignal::new(false);
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
        // A click is no drag: it would zoom into one step by accident.
        if (to - from).abs() < 0.01 {
            return;
        }
        if let Some(window) =
            chart.with_untracked(|chart| chart.as_ref().and_then(|chart| chart.plot.selection(from, to)))
        {
            zoom.run(window);
        }
    };
    let leave = move |_| {
        if drag.get_untracked().is_none() {
            hover.set(None);
            has_pointer.set(false);
        }
    };
    let selection = move || {
        let (from, to) = (drag.get()?, hover.get()?);
        let (left, width) = (from.min(to) * 100.0, (to - from).abs() * 100.0);
        Some(view! { <div class="chart-selection" style=format!("left:{left}%;width:{width}%")></div> })
    };
    let step = Memo::new(move |_| {
        let share = hover.get()?;
        chart.with(|chart| chart.as_ref().and_then(|chart| chart.plot.step_at(share)))
    });
    view! {
        <section class="chart" aria-label=label data-testid=testid>
            <header class="chart-head"><h3 class="label">{heading}</h3>
                {move || chart.get().map(|chart| legend(&chart, step))}
            </header>
            <div class="chart-body">
                <div class="chart-scale label" aria-hidden="true">{move || chart.get().map(|chart| scale(&chart.plot, &chart.print))}</div>
                <div class="chart-plot" node_ref=node on:pointerdown=down on:pointerup=up
                    on:pointermove=move |event| { hover.set(Some(share(event.client_x()))); has_pointer.set(true); }
                    on:pointerleave=leave on:pointercancel=move |_| drag.set(None)>
                    {move || chart.get().map(|chart| lines(&title, &chart))}
                    {move || chart.get().and_then(|chart| crosshair(&chart, step.get()?))}
                    {selection}
                    {move || chart.get().filter(|_| has_pointer.get()).and_then(|chart| tooltip(session, &chart, step.get()?))}
                </div>
                <div class="chart-axis label" aria-hidden="true">{move || chart.get().map(|chart| clock(session, &chart.plot))}</div>
            </div>
        </section>
    }
}

/// Names of the lines where there is more than one, each with the value under the pointer.
fn legend(chart: &Arc<Chart>, step: Memo<Option<usize>>) -> impl IntoView + use<> {
    let chart = Arc::clone(chart);
    (chart.lines.len() > 1).then(|| {
        let entries = (0..chart.lines.len()).rev().map(|index| {
            let line = &chart.lines[index];
            let (class, name) = (format!("chart-mark {}", line.class), line.name.clone());
            let values = Arc::clone(&chart);
            let value = move || {
                let value = values.lines[index].values.get(step.get()?).copied().flatten()?;
                Some(format!(" {}", (values.print)(value)))
            };
            view! { <span class="legend"><i class=class aria-hidden="true"></i>{name}{value}</span> }
        });
        view! { <span class="legends">{entries.collect_view()}</span> }
    })
}

/// Values up the side of a plot.
pub fn scale(plot: &Plot, print: &dyn Fn(f64) -> String) -> impl IntoView + use<> {
    let marks = plot.ticks.iter().map(|value| {
        let style = format!("top:{:.2}%", plot.y(*value) / HEIGHT * 100.0);
        view! { <span style=style>{print(*value)}</span> }
    });
    marks.collect_view()
}

/// Lines across a plot, as a path.
pub fn grid(plot: &Plot) -> String {
    plot.ticks.iter().map(|value| format!("M0 {:.2}H{WIDTH}", plot.y(*value))).collect()
}

fn lines(title: &str, chart: &Chart) -> impl IntoView + use<> {
    let plot = &chart.plot;
    let grid = grid(plot);
    let lines = chart.lines.iter().map(|line| {
        let area = line.is_filled.then(|| view! { <path class="area" d=plot.area(&line.values)></path> });
        view! { <g class=line.class.clone()>{area}<path class="stroke" d=plot.line(&line.values)></path></g> }
    });
    view! {
        <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" role="img" aria-label=chart.words(title)>
            <path class="grid" d=grid></path>
            {lines.collect_view()}
        </svg>
    }
}

fn crosshair(chart: &Chart, step: usize) -> Option<impl IntoView + use<>> {
    let left = chart.plot.point_x(step) / WIDTH * 100.0;
    let dots = chart.lines.iter().filter_map(|line| {
        let value = line.values.get(step).copied().flatten().filter(|value| value.is_finite())?;
        let style = format!("left:{left:.3}%;top:{:.2}%", chart.plot.y(value) / HEIGHT * 100.0);
        Some(view! { <i class=format!("chart-dot {}", line.class) style=style></i> })
    });
    Some(view! { <i class="chart-cross" style=format!("left:{left:.3}%")></i>{dots.collect_view()} })
}

fn tooltip(session: Session, chart: &Chart, step: usize) -> Option<impl IntoView + use<>> {
    let share = chart.plot.point_x(step) / WIDTH;
    let side = match share > 0.5 {
        true => format!("right:calc({:.2}% + 8px)", (1.0 - share) * 100.0),
        false => format!("left:calc({:.2}% + 8px)", share * 100.0),
    };
    let rows = chart.lines.iter().rev().map(|line| {
        let value = line.values.get(step).copied().flatten();
        let words = value.map_or_else(|| "–".to_owned(), &chart.print);
        view! { <span class="line"><i class=format!("chart-mark {}", line.class)></i><span class="muted">{line.name.clone()}</span>
            <span class="gap"></span><b>{words}</b></span> }
    });
    let time = chart.plot.step_words(step, session.offset_minutes(chart.plot.steps.begin(step)));
    Some(
        view! { <div class="tooltip chart-tooltip" style=side><span class="faint">{time}</span>{rows.collect_view()}</div> },
    )
}

/// Times along a plot.
pub fn clock(session: Session, plot: &Plot) -> impl IntoView + use<> {
    let window = plot.window;
    let offset = session.offset_minutes(window.start);
    let ticks = axis::clock_ticks(window.start, window.end, 6, offset).into_iter().filter_map(|time| {
        let at = plot.x(time) / WIDTH * 100.0;
        let words = format::window_end(time, window.length(), window.start, offset);
        // A time so near to an edge would stand out of the chart.
        (at < 96.0).then(|| view! { <span style=format!("left:{at:.3}%")>{words}</span> })
    });
    ticks.collect_view()
}

/// A line as small as a word. The numbers stand beside it, so it is for the eye only.
pub fn sparkline(values: &[Option<f64>], top_min: f64, class: &'static str) -> impl IntoView + use<> {
    const BOX: (f64, f64) = (150.0, 24.0);
    let (line, area) = time_chart::sparkline(values, top_min, BOX.0, BOX.1);
    view! {
        <svg class=format!("spark {class}") viewBox=format!("0 0 {} {}", BOX.0, BOX.1) preserveAspectRatio="none" aria-hidden="true"
            focusable="false">
            <path class="area" d=area></path><path class="stroke" d=line></path>
        </svg>
    }
}
