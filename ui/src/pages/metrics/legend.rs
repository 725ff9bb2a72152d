//! Below the chart: the lines with their figures, the exemplars, the labels.

use leptos::prelude::*;
use ui_core::metrics::{LegendColumn, legend_order};
use ui_core::{fields, format, order, units};

use super::MetricsContext;
use super::chart::{Shown, exemplar_url, line_style};
use crate::parts::panel::{Tab, tabs};
use crate::parts::service_tag;

/// Values of a label that are shown.
const VALUES_MAX: usize = 12;

/// The tabs and what the chosen one holds.
#[component]
pub fn Below() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let tab = Signal::derive(move || context.state.with(|state| state.tab.clone()));
    let choose = Callback::new(move |tab: String| context.go(true, |state| state.tab = tab));
    let counts = Memo::new(move |_| {
        let (lines, exemplars) = context
            .shown
            .with(|shown| shown.as_ref().map_or((0, 0), |shown| (shown.line_count, shown.answer.exemplars.len())));
        let labels = context.series.data.with(|answer| answer.as_ref().map_or(0, |answer| answer.labels.len()));
        (lines, exemplars, labels)
    });
    let heads = move || {
        let (lines, exemplars, labels) = counts.get();
        let heads = vec![
            Tab::plain("", &format!("Lines {lines}")),
            Tab::counted("exemplars", "Exemplars", exemplars),
            Tab::counted("labels", "Labels", labels),
        ];
        tabs(heads, tab, choose)
    };
    let content = move || match tab.get().as_str() {
        "exemplars" => view! { <Exemplars/> }.into_any(),
        "labels" => view! { <Labels/> }.into_any(),
        _ => view! { <Lines/> }.into_any(),
    };
    view! {
        {heads}
        <div class="metric-below" tabindex="0" role="tabpanel" aria-label="Details">{content}</div>
    }
}

#[component]
fn Lines() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let order = RwSignal::new((LegendColumn::Avg, false));
    let head = move |(column, title): (LegendColumn, &'static str)| {
        let sorted = move || match order.get() {
            (by, true) if by == column => "ascending",
            (by, false) if by == column => "descending",
            _ => "none",
        };
        let turn = move |_| {
            order.update(|(by, is_ascending)| {
                *is_ascending = if *by == column { !*is_ascending } else { column == LegendColumn::Name };
                *by = column;
            })
        };
        let arrow = move || match sorted() {
            "ascending" => " ↑",
            "descending" => " ↓",
            _ => "",
        };
        view! {
            <th scope="col" class:number=column != LegendColumn::Name aria-sort=sorted>
                <button type="button" class="label" on:click=turn>{title}{arrow}</button>
            </th>
        }
    };
    let heads = LegendColumn::ALL.map(head).into_iter().collect_view();
    let rows = move || {
        context.shown.get().map(|shown| {
            let (column, is_ascending) = order.get();
            let lines = legend_order(&shown.lines, column, is_ascending);
            lines.into_iter().map(|at| line_row(context, &shown, at)).collect_view()
        })
    };
    let note = move || {
        let shown = context.shown.get()?;
        let hidden = shown.line_count - shown.lines.len();
        let more = if shown.answer.truncated { " and more" } else { "" };
        (hidden > 0 || shown.answer.truncated).then(|| {
            let words = format!(
                "The {} greatest of {}{more} lines are shown. Filter or group them.",
                shown.lines.len(),
                format::count(shown.line_count as u64)
            );
            view! { <p class="faint small pad">{words}</p> }
        })
    };
    view! {
        <table class="legend-table" data-testid="metric-legend">
            <thead><tr>{heads}</tr></thead>
            <tbody>{rows}</tbody>
        </table>
        {note}
    }
}

fn line_row(context: MetricsContext, shown: &Shown, at: usize) -> impl IntoView + use<> {
    let line = &shown.lines[at];
    let key = line.key.clone();
    let is_only = move |key: &str| context.state.with(|state| state.only == key && !state.only.is_empty());
    let is_hidden = !shown.drawn.contains(&at);
    let pressed = {
        let key = key.clone();
        move || is_only(&key).to_string()
    };
    let can_single_out = shown.lines.len() > 1;
    let single_out = move |_| {
        let only = if untrack(|| is_only(&key)) { String::new() } else { key.clone() };
        context.go(true, |state| state.only = only);
    };
    let values = LegendColumn::ALL.into_iter().skip(1).map(|(column, _)| {
        let value = column.value(&line.legend).map_or_else(|| "–".to_owned(), |value| shown.print(value));
        view! { <td class="number mono">{value}</td> }
    });
    let title = if line.key.is_empty() { line.name.clone() } else { line.key.clone() };
    view! {
        <tr class:hidden=is_hidden data-testid="legend-row">
            <th scope="row"><button type="button" class="legend-name" title=title aria-pressed=pressed
                disabled=!can_single_out on:click=single_out>
                <i class="chart-mark" style=line_style(context.session, line) aria-hidden="true"></i>
                <span class="cut">{line.name.clone()}</span></button></th>
            {values.collect_view()}
        </tr>
    }
}

#[component]
fn Exemplars() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let session = context.session;
    let rows = move || {
        context.shown.get().map(|shown| {
            let unit = shown.answer.metric.unit.clone();
            shown
                .answer
                .exemplars
                .iter()
                .filter(|exemplar| exemplar.trace_id.is_some())
                .map(|exemplar| {
                    let time = exemplar.time_unix_nano.0;
                    let offset = session.offset_minutes(time);
                    let value = exemplar.value.as_f64().map(|value| units::value(value, &unit)).unwrap_or_default();
                    let words: Vec<String> = exemplar
                        .attributes
                        .iter()
                        .map(|(name, value)| format!("{name}={}", fields::value_text(value)))
                        .collect();
                    view! {
                        <tr>
                            <td class="mono muted" title=format::exact(time, offset)>{format::clock(time, offset)}</td>
                            <td class="number mono">{value}</td>
                            <td>{service_tag(session, &exemplar.service_name)}</td>
                            <td class="mono"><a href=exemplar_url(exemplar) data-testid="exemplar-link">{exemplar.trace_id.clone()}</a></td>
                            <td class="mono faint cut">{words.join(" ")}</td>
                        </tr>
                    }
                })
                .collect_view()
        })
    };
    view! {
        <table class="legend-table wide">
            <thead><tr class="label"><th scope="col">"Time"</th><th scope="col" class="number">"Value"</th><th scope="col">"Service"</th>
                <th scope="col">"Trace"</th><th scope="col">"Attributes"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
}

/// Labels and how many values each has: what to group by, and what to filter by.
#[component]
fn Labels() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let add = move |name: &str, value: &str| {
        let term = fields::filter_term(name, value, false);
        context.go(false, |state| {
            state.filter = fields::toggle_term(&state.filter, &term);
            state.only.clear();
        });
    };
    let rows = move || {
        context.series.data.get().map(|answer| {
            let mut labels: Vec<_> = answer.labels.iter().collect();
            order::sort(&mut labels, |(_, one), (_, other)| other.len().cmp(&one.len()));
            labels
                .into_iter()
                .map(|(name, values)| {
                    let more = values.len().saturating_sub(VALUES_MAX);
                    let chips = values.iter().take(VALUES_MAX).map(|value| {
                        let (name, value) = (name.clone(), value.clone());
                        let words = if value.is_empty() { "(empty)".to_owned() } else { format::cut(&value, 40) };
                        view! {
                            <button type="button" class="toggle mono" title=format!("Only {name} = {value}")
                                on:click=move |_| add(&name, &value)>{words}</button>
                        }
                    });
                    view! {
                        <tr><th scope="row" class="mono">{name.clone()}</th><td class="number mono">{values.len()}</td>
                            <td class="label-values">{chips.collect_view()}{(more > 0).then(|| view! { <span
                                class="faint small">{format!("+{more}")}</span> })}</td></tr>
                    }
                })
                .collect_view()
        })
    };
    view! {
        <table class="legend-table wide">
            <thead><tr class="label"><th scope="col">"Label"</th><th scope="col" class="number">"Values"</th><th scope="col">"Click one to filter by it"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
}
