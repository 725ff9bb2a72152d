//! The lines of a metric, exemplars as dots that lead to their traces, the values under the pointer.

use std::sync::Arc;

use api::{Exemplar, MetricRangeAnswer};
use leptos::html::Div;
use leptos::prelude::*;
use ui_core::metrics::{self, Dot, Line, MetricsState};
use ui_core::state::TraceState;
use ui_core::time_chart::{HEIGHT, Plot, Steps, WIDTH, line_words};
use ui_core::{fields, format, order, units};

use super::MetricsContext;
use crate::parts::time_chart::{clock, grid, scale};
use crate::parts::{capture_pointer, service_tag, share_at};
use crate::query::Query;
use crate::run::Run;
use crate::session::Session;

/// Lines named at the pointer; the rest are counted.
const NAMED_MAX: usize = 12;
/// Lines told to those who do not see them.
const TOLD_MAX: usize = 8;
/// Attributes on an exemplar's card.
const ATTRIBUTES_MAX: usize = 4;

/// A chart, made once of an answer; equal to itself only.
#[derive(Clone)]
pub struct Shown(Arc<ChartData>);

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::ops::Deref for Shown {
    type Target = ChartData;
    fn deref(&self) -> &ChartData {
        &self.0
    }
}

/// What the chart and the legend show.
pub struct ChartData {
    /// The answer it was made of.
    pub answer: Arc<MetricRangeAnswer>,
    /// Lines, the greatest first.
    pub lines: Vec<Line>,
    /// Lines there were before the rest was cut.
    pub line_count: usize,
    /// Indexes of the lines that are drawn.
    pub drawn: Vec<usize>,
    /// Unit of the values.
    pub unit: String,
    plot: Plot,
    dots: Vec<Dot>,
}

impl ChartData {
    /// A value with its unit.
    pub fn print(&self, value: f64) -> String {
        units::value(value, &self.unit)
    }
}

/// The chart of the newest answer, made anew when another line is singled out.
pub fn shown(
    session: Session,
    state: Memo<MetricsState>,
    run: RwSignal<Option<Run<()>>>,
    values: Query<MetricRangeAnswer>,
) -> Memo<Option<Shown>> {
    let only = Memo::new(move |_| state.with(|state| state.only.clone()));
    Memo::new(move |_| {
        let answer = values.data.get()?;
        let (lines, line_count) = metrics::lines(&answer);
        session.assign_slots(lines.iter().filter_map(|line| line.service.as_deref()));
        let drawn: Vec<usize> = only.with(|only| {
            let named = lines.iter().position(|line| line.key == *only && !only.is_empty());
            named.map_or_else(|| (0..lines.len()).collect(), |at| vec![at])
        });
        let steps = Steps::of(&answer.steps);
        // Steps are whole where the range is not: what is asked for is what is shown.
        let window = run.with_untracked(|run| run.as_ref().map(|run| run.window)).unwrap_or_default();
        let plot = Plot::new(steps, window, drawn.iter().map(|line| lines[*line].values.as_slice()), 0.0);
        let has_scale = metrics::shows_samples(&answer.metric, &answer.function);
        let dots = metrics::dots(&answer.exemplars, &plot, has_scale);
        let unit = metrics::unit_of(&answer.metric, &answer.function);
        Some(Shown(Arc::new(ChartData { lines, line_count, drawn, unit, plot, dots, answer })))
    })
}

/// The colour of a line, as a style.
pub fn line_style(session: Session, line: &Line) -> String {
    let slot = line.service.as_deref().map_or(line.slot, |service| session.slot(service));
    format!("--line-colour:var(--c{slot})")
}

/// The chart.
#[component]
pub fn MetricChart() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let session = context.session;
    let shown = context.shown;
    let node = NodeRef::<Div>::new();
    let hover = RwSignal::new(None::<f64>);
    let drag = RwSignal::new(None::<f64>);
    let card = RwSignal::new(None::<usize>);
    let share = move |client_x: i32| share_at(node, client_x);
    let down = move |event: leptos::ev::PointerEvent| {
        if event.button() == 0 && card.get_untracked().is_none() {
            capture_pointer(node, &event);
            drag.set(Some(share(event.client_x())));
        }
    };
    let up = move |event: leptos::ev::PointerEvent| {
        let Some(from) = drag.get_untracked() else { return };
        drag.set(None);
        let to = share(event.client_x());
        // A click is no drag: it would zoom into one step by accident.
        let is_drag = (to - from).abs() >= 0.01;
        let window = shown.with_untracked(|shown| shown.as_ref().and_then(|shown| shown.plot.selection(from, to)));
        if let Some(window) = window.filter(|_| is_drag) {
            context.zoom(window);
        }
    };
    let leave = move |_| {
        if drag.get_untracked().is_none() {
            hover.set(None);
        }
    };
    let step = Memo::new(move |_| {
        let at = hover.get()?;
        shown.with(|shown| shown.as_ref().and_then(|shown| shown.plot.step_at(at)))
    });
    let selection = move || {
        let (from, to) = (drag.get()?, hover.get()?);
        let (left, width) = (from.min(to) * 100.0, (to - from).abs() * 100.0);
        Some(view! { <div class="chart-selection" style=format!("left:{left}%;width:{width}%")></div> })
    };
    let is_empty = move || {
        shown.with(|shown| shown.as_ref().is_some_and(|shown| shown.lines.iter().all(|l| l.legend.last.is_none())))
    };
    let tip =
        move || shown.get().filter(|_| card.get().is_none()).and_then(|shown| tooltip(session, &shown, step.get()?));
    view! {
        <section class="metric-chart" aria-label="Chart" data-testid="metric-chart">
            <h3 class="label">{move || shown.get().map(|shown| heading(context, &shown))}</h3>
            <div class="chart-body">
                <div class="chart-scale label" aria-hidden="true">
                    {move || shown.get().map(|shown| scale(&shown.plot, &|value| units::scale(value, &shown.unit)))}
                </div>
                <div class="chart-plot" node_ref=node on:pointerdown=down on:pointerup=up
                    on:pointermove=move |event| hover.set(Some(share(event.client_x())))
                    on:pointerleave=leave on:pointercancel=move |_| drag.set(None)>
                    {move || shown.get().map(|shown| drawing(session, &shown))}
                    {move || shown.get().and_then(|shown| crosshair(session, &shown, step.get()?))}
                    {move || shown.get().map(|shown| dots(&shown, card))}
                    {selection}
                    {tip}
                    {move || shown.get().and_then(|shown| exemplar_card(session, &shown, card.get()?))}
                    {move || is_empty().then(|| view! { <p class="chart-empty muted" data-testid="no-values">"No values in this range"</p> })}
                </div>
                <div class="chart-axis label" aria-hidden="true">{move || shown.get().map(|shown| clock(session, &shown.plot))}</div>
            </div>
        </section>
    }
}

fn heading(context: MetricsContext, shown: &Shown) -> String {
    let answer = &shown.answer;
    let group_by = context.state.with(|state| state.group_by.clone());
    let title = metrics::title(&answer.metric.name, &answer.function, answer.quantile, &group_by);
    match units::words(&shown.unit).as_str() {
        "" => title,
        words => format!("{title}, in {words}"),
    }
}

fn drawing(session: Session, shown: &Shown) -> impl IntoView + use<> {
    let drawn = || shown.drawn.iter().map(|at| &shown.lines[*at]);
    let lines = drawn().rev().map(|line| {
        let area = (shown.drawn.len() == 1).then(|| view! { <path class="area" d=shown.plot.area(&line.values)></path> });
        view! { <g style=line_style(session, line)>{area}<path class="stroke" d=shown.plot.line(&line.values)></path></g> }
    });
    let words: Vec<String> = drawn()
        .take(TOLD_MAX)
        .map(|line| match line.legend.last {
            Some(last) => format!("{}: last {}", line.name, shown.print(last)),
            None => line_words(&line.name, &[], &|_| String::new()),
        })
        .collect();
    let label = format!(
        "{} over time, {}. {}",
        shown.answer.metric.name,
        format::counted(shown.drawn.len() as u64, "line"),
        words.join("; ")
    );
    view! {
        <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" role="img" aria-label=label>
            <path class="grid" d=grid(&shown.plot)></path>
            {lines.collect_view()}
        </svg>
    }
}

/// The drawn lines with a value at a step, greatest first.
fn values_at(shown: &Shown, step: usize) -> Vec<(&Line, f64)> {
    let value = |line: &Line| line.values.get(step).copied().flatten().filter(|value| value.is_finite());
    let mut found: Vec<(&Line, f64)> =
        shown.drawn.iter().map(|at| &shown.lines[*at]).filter_map(|line| Some((line, value(line)?))).collect();
    order::sort(&mut found, |a, b| b.1.total_cmp(&a.1));
    found
}

fn crosshair(session: Session, shown: &Shown, step: usize) -> Option<impl IntoView + use<>> {
    let left = shown.plot.point_x(step) / WIDTH * 100.0;
    let dots = values_at(shown, step).into_iter().take(NAMED_MAX).map(|(line, value)| {
        let top = shown.plot.y(value) / HEIGHT * 100.0;
        view! { <i class="chart-dot" style=format!("left:{left:.3}%;top:{top:.2}%;{}", line_style(session, line))></i> }
    });
    Some(view! { <i class="chart-cross" style=format!("left:{left:.3}%")></i>{dots.collect_view()} })
}

/// Beside a place across the plot, on the side with more room.
fn beside(share: f64) -> String {
    match share > 0.5 {
        true => format!("right:calc({:.2}% + 10px)", (1.0 - share) * 100.0),
        false => format!("left:calc({:.2}% + 10px)", share * 100.0),
    }
}

fn tooltip(session: Session, shown: &Shown, step: usize) -> Option<impl IntoView + use<>> {
    let values = values_at(shown, step);
    let more = values.len().saturating_sub(NAMED_MAX);
    let is_gap = values.is_empty();
    let rows = values.into_iter().take(NAMED_MAX).map(|(line, value)| {
        view! { <span class="line"><i class="chart-mark" style=line_style(session, line)></i><span class="muted cut">{line.name.clone()}</span>
            <span class="gap"></span><b>{shown.print(value)}</b></span> }
    });
    let time = shown.plot.step_words(step, session.offset_minutes(shown.plot.steps.begin(step)));
    Some(view! {
        <div class="tooltip chart-tooltip" style=beside(shown.plot.point_x(step) / WIDTH) data-testid="metric-tooltip">
            <span class="faint">{time}</span>{rows.collect_view()}
            {is_gap.then(|| view! { <span class="muted">"no value"</span> })}
            {(more > 0).then(|| view! { <span class="faint">{format!("and {}", format::counted(more as u64, "more line"))}</span> })}
        </div>
    })
}

/// Where an exemplar leads.
pub fn exemplar_url(exemplar: &Exemplar) -> String {
    let span = exemplar.span_id.clone().unwrap_or_default();
    TraceState { span, ..TraceState::default() }.url_of(exemplar.trace_id.as_deref().unwrap_or_default(), "")
}

fn dots(shown: &Shown, card: RwSignal<Option<usize>>) -> impl IntoView + use<> {
    let dots = shown.dots.iter().enumerate().filter_map(|(at, dot)| {
        let exemplar = shown.answer.exemplars.get(dot.index)?;
        let class = if dot.is_beyond { "exemplar beyond" } else { "exemplar" };
        let style = format!("left:{:.3}%;top:{:.2}%", dot.left, dot.top);
        // The keyboard finds them in the table below.
        Some(view! {
            <a class=class style=style href=exemplar_url(exemplar) tabindex="-1" aria-hidden="true"
                data-testid="exemplar-dot" draggable="false" on:pointerdown=|event| event.stop_propagation()
                on:pointerenter=move |_| card.set(Some(at)) on:pointerleave=move |_| card.set(None)></a>
        })
    });
    dots.collect_view()
}

fn exemplar_card(session: Session, shown: &Shown, at: usize) -> Option<impl IntoView + use<>> {
    let dot = shown.dots.get(at)?;
    let exemplar = shown.answer.exemplars.get(dot.index)?;
    let time = exemplar.time_unix_nano.0;
    let value = exemplar.value.as_f64().map(|value| units::value(value, &shown.answer.metric.unit)).unwrap_or_default();
    let rows = exemplar.attributes.iter().take(ATTRIBUTES_MAX).map(|(name, value)| {
        let value = fields::value_text(value);
        view! { <span class="line small"><span class="faint cut">{name.clone()}</span><span class="gap"></span><span class="mono cut">{value}</span></span> }
    });
    let vertical = if dot.top > 50.0 {
        format!("bottom:calc({:.1}% + 10px)", 100.0 - dot.top)
    } else {
        format!("top:calc({:.1}% + 10px)", dot.top)
    };
    Some(view! {
        <div class="exemplar-card" style=format!("{};{vertical}", beside(dot.left / 100.0)) data-testid="exemplar-card">
            <span class="line"><b>{value}</b><span class="gap"></span><span class="mono faint">{format::clock(time, session.offset_minutes(time))}</span></span>
            {(!exemplar.service_name.is_empty()).then(|| service_tag(session, &exemplar.service_name))}
            <span class="mono small">{exemplar.trace_id.clone()}</span>
            {rows.collect_view()}
            <span class="faint small">"Click to open the trace"</span>
        </div>
    })
}
