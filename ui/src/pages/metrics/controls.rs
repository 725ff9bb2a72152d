//! What is asked of a metric: function, quantile, groups, filter.

use std::ops::Range;

use api::filter::{self, LexemeKind, Target};
use leptos::prelude::*;
use ui_core::completion::{self, Completion};
use ui_core::metrics::{GROUPS, QUANTILES, functions};
use ui_core::order;

use super::MetricsContext;
use crate::parts::editor::{Editor, Fault};

/// Labels offered as buttons; the rest are in a list.
const LABELS_SHOWN_MAX: usize = 8;

/// The controls.
#[component]
pub fn Controls() -> impl IntoView {
    view! {
        <div class="metric-controls">
            <FunctionChoice/>
            <LabelFilter/>
            <Groups/>
        </div>
    }
}

#[component]
fn FunctionChoice() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let (state, values) = (context.state, context.values.data);
    // What the server chose where the page did not.
    let chosen = move || {
        let asked = state.with(|state| state.function.clone());
        match asked.is_empty() {
            true => values.with(|answer| answer.as_ref().map(|answer| answer.function.clone()).unwrap_or_default()),
            false => asked,
        }
    };
    let offered = move || {
        let known = values.with(|answer| answer.as_ref().map_or(&[][..], |answer| functions(&answer.metric)));
        let chosen = chosen();
        let others = (!known.contains(&chosen.as_str()) && !chosen.is_empty()).then(|| chosen.clone());
        known
            .iter()
            .map(|name| (*name).to_owned())
            .chain(others)
            .map(|name| view! { <option value=name.clone() selected=name == chosen>{name.clone()}</option> })
            .collect_view()
    };
    let quantile = move || {
        let asked = state.with(|state| state.quantile.clone());
        let used = || values.with(|a| a.as_ref().and_then(|a| a.quantile).map(|q| q.to_string()));
        if asked.is_empty() { used().unwrap_or_default() } else { asked }
    };
    let quantiles = move || {
        let chosen = quantile();
        let known = QUANTILES.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned()));
        let other = (!QUANTILES.iter().any(|(value, _)| *value == chosen) && !chosen.is_empty())
            .then(|| (chosen.clone(), chosen.clone()));
        known
            .chain(other)
            .map(|(value, words)| view! { <option value=value.clone() selected=value == chosen>{words}</option> })
            .collect_view()
    };
    view! {
        <label><span class="label">"Function"</span>
            <select class="input" data-testid="metric-function" prop:value=chosen
                on:change=move |event| { let function = event_target_value(&event); context.go(false, |state| state.function = function) }>
                {offered}
            </select>
        </label>
        <Show when=move || chosen() == "quantile">
            <label><span class="label">"Quantile"</span>
                <select class="input" data-testid="metric-quantile" prop:value=quantile
                    on:change=move |event| { let quantile = event_target_value(&event); context.go(false, |state| state.quantile = quantile) }>
                    {quantiles}
                </select>
            </label>
        </Show>
    }
}

/// Labels and their values, as the series have them.
fn label_names(context: MetricsContext) -> Vec<(String, usize)> {
    let mut names: Vec<(String, usize)> = context
        .series
        .data
        .with(|answer| {
            answer.as_ref().map(|a| a.labels.iter().map(|(name, values)| (name.clone(), values.len())).collect())
        })
        .unwrap_or_default();
    // A label with one value tells nothing apart; it comes last.
    order::sort(&mut names, |(_, one), (_, other)| (*one < 2).cmp(&(*other < 2)));
    names
}

#[component]
fn Groups() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let state = context.state;
    let chosen = move |label: &str| state.with(|state| state.group_by.iter().any(|known| known == label));
    let toggle = move |label: &str| context.go(false, |state| state.toggle_group(label));
    let button = move |label: String, words: String, title: String| {
        let (own, pressed) = (label.clone(), label.clone());
        view! {
            <button type="button" class="toggle mono" class:on=move || chosen(&own) title=title
                aria-pressed=move || chosen(&pressed).to_string() data-testid="metric-group"
                on:click=move |_| toggle(&label)>{words}</button>
        }
    };
    let special =
        GROUPS.iter().map(|(name, words)| button((*name).to_owned(), (*words).to_owned(), (*words).to_owned()));
    let labels = move || {
        let mut names = label_names(context);
        for label in state.with(|state| state.group_by.clone()) {
            if !names.iter().any(|(name, _)| *name == label) && !GROUPS.iter().any(|(name, _)| *name == label) {
                names.insert(0, (label, 0));
            }
        }
        // What is chosen is seen, however many there are.
        let is_last = |name: &str| !untrack(|| chosen(name));
        order::sort(&mut names, |(one, _), (other, _)| is_last(one).cmp(&is_last(other)));
        names
    };
    let buttons = move || {
        labels()
            .into_iter()
            .take(LABELS_SHOWN_MAX)
            .map(|(name, values)| button(name.clone(), name.clone(), format!("{name}: {values} values")))
            .collect_view()
    };
    let more = move || {
        let rest: Vec<(String, usize)> = labels().into_iter().skip(LABELS_SHOWN_MAX).collect();
        (!rest.is_empty()).then(|| {
            let options = rest.into_iter().map(|(name, values)| {
                view! { <option value=name.clone()>{format!("{name} ({values})")}</option> }
            });
            view! {
                <select class="input" aria-label="More labels to group by" prop:value=""
                    on:change=move |event| toggle(&event_target_value(&event))>
                    <option value="">"More labels"</option>{options.collect_view()}
                </select>
            }
        })
    };
    view! {
        <div class="metric-groups" role="group" aria-label="Group by">
            <span class="label">"Group by"</span>
            {special.collect_view()}
            <span class="metric-groups-line" aria-hidden="true"></span>
            {buttons}
            {more}
        </div>
    }
}

#[component]
fn LabelFilter() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let text = RwSignal::new(context.state.with_untracked(|state| state.filter.clone()));
    Effect::new(move |_| text.set(context.state.with(|state| state.filter.clone())));
    let complete = Callback::new(move |(text, caret): (String, usize)| -> Completion {
        context.series.data.with_untracked(|answer| {
            let Some(answer) = answer else { return Completion::default() };
            let names: Vec<String> = answer.labels.keys().cloned().collect();
            let values = |name: &str| answer.labels.get(name).cloned().unwrap_or_default();
            completion::filter(&text, caret, &names, values)
        })
    });
    let fault = Signal::derive(move || -> Fault {
        let typed = text.get();
        let local = filter::parse(&typed, Target::Logs).err().map(|error| (error.to_string(), Some(error.position)));
        let is_asked = context.state.with(|state| state.filter == typed);
        let from_server = || {
            let error = context.values.error.get().filter(|error| is_asked && error.position.is_some())?;
            Some((error.detail, error.position))
        };
        local.or_else(from_server)
    });
    let submit = Callback::new(move |()| {
        let typed = text.get_untracked().trim().to_owned();
        if fault.with_untracked(Option::is_none) {
            context.go(false, |state| {
                state.filter = typed;
                state.only.clear();
            });
        }
    });
    view! {
        <div class="metric-filter">
            <Editor text label="Filter by labels" placeholder="Filter: http.route:/cart -service.name:web"
                testid="metric-filter" is_single=true colours complete submit fault/>
            {move || fault.get().map(|(message, _)| view! { <p class="input-error" role="status">{message}</p> })}
        </div>
    }
}

fn colours(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let class = |kind| match kind {
        LexemeKind::Field => "q-field",
        LexemeKind::And | LexemeKind::Or | LexemeKind::Not => "q-word",
        LexemeKind::Open | LexemeKind::Close | LexemeKind::Comparison => "q-mark",
        LexemeKind::Quoted => "q-quoted",
        LexemeKind::Word => "",
    };
    filter::lex(text).into_iter().map(|lexeme| (class(lexeme.kind), lexeme.range)).collect()
}
