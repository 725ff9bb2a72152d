//! What the service does: one row an operation, each a way to its traces.

use api::{OperationSummary, OperationsAnswer};
use leptos::prelude::*;
use ui_core::format;
use ui_core::order;
use ui_core::range::Window;
use ui_core::red;
use ui_core::service_state::traces_url;
use ui_core::sort::{self, Column, Keys, Sort};
use ui_core::time_chart::Steps;

use super::ServiceContext;
use crate::parts::red::{Sparks, p99_class, rate_words, share_class, share_words, sort_head};
use crate::parts::states::{FailureLine, Skeleton};
use crate::session;

/// Rows built; the filter finds the others.
const ROWS_MAX: usize = 200;
/// Operations from which on a filter is worth its room.
const FILTER_FROM: usize = 12;

/// The table.
#[component]
pub fn Operations() -> impl IntoView {
    let context: ServiceContext = expect_context();
    let sort = Signal::derive(move || context.state.with(|state| state.sort));
    let choose = Callback::new(move |sort: Sort| context.go(true, |state| state.sort = sort));
    let head = move |title, column, is_number| {
        view! { <th scope="col" class:number=is_number>{sort_head(title, column, sort, choose, is_number)}</th> }
    };
    let rows = move || {
        let (Some(answer), Some(run)) = (context.operations.data.get(), context.run.get()) else {
            return ().into_any();
        };
        let (filter, sort) = context.state.with(|state| (state.filter.clone(), state.sort));
        let steps = Steps::of(&answer.steps);
        let shown = sorted(&answer, &filter, sort);
        shown.into_iter().map(|operation| row(context, operation, steps, run.window)).collect_view().into_any()
    };
    let is_empty =
        Memo::new(move |_| context.operations.data.with(|a| a.as_ref().is_none_or(|a| a.operations.is_empty())));
    view! {
        {move || context.operations.error.get().map(|error| view! { <FailureLine error/> })}
        {move || context.operations.is_first_load().then(|| view! { <Skeleton label="Loading operations"/> })}
        <Show when=move || is_empty.get() && !context.operations.is_first_load()>
            <p class="pad muted">"No spans in this range: this service only logs."</p>
        </Show>
        <Show when=move || !is_empty.get()>
            <Filter/>
            <table class="table operations" data-testid="operations">
                <thead><tr>
                    {head("Operation", Column::Name, false)}
                    {head("Calls", Column::Calls, true)}<th scope="col" class="wide"><span class="spoken">"Calls over time"</span></th>
                    {head("Errors", Column::Errors, true)}<th scope="col" class="wide"><span class="spoken">"Errors over time"</span></th>
                    {head("p50", Column::P50, true)}{head("p95", Column::P95, true)}{head("p99", Column::P99, true)}
                    <th scope="col" class="wide"><span class="spoken">"p99 over time"</span></th>
                    {head("Last seen", Column::LastSeen, true)}
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </Show>
    }
}

/// The filter where there are many, and how many are shown.
#[component]
fn Filter() -> impl IntoView {
    let context: ServiceContext = expect_context();
    let counts = Memo::new(move |_| {
        let filter = context.state.with(|state| state.filter.clone());
        context.operations.data.with(|answer| {
            answer.as_ref().map_or((0, 0, false), |answer| {
                let found =
                    answer.operations.iter().filter(|operation| sort::matches(&operation.name, &filter)).count();
                (found, answer.operations.len(), answer.truncated)
            })
        })
    });
    let words = move || match counts.get() {
        (_, all, true) => format!("The {} busiest operations; there are more.", format::count(all as u64)),
        (found, ..) if found > ROWS_MAX => {
            format!("The first {ROWS_MAX} of {}.", format::counted(found as u64, "operation"))
        }
        (0, ..) => "No operation has this in its name.".to_owned(),
        (found, ..) => format::counted(found as u64, "operation"),
    };
    view! {
        <Show when=move || { counts.get().1 >= FILTER_FROM || context.state.with(|state| !state.filter.is_empty()) }>
            <div class="toolbar tab-toolbar">
                <input class="input" type="search" placeholder="Filter operations" aria-label="Filter operations by name"
                    autocomplete="off" spellcheck="false"
                    prop:value=move || context.state.with(|state| state.filter.clone())
                    on:input=move |event| {
                        let typed = event_target_value(&event);
                        context.go(true, |state| state.filter = typed);
                    }/>
                <span class="muted small" role="status">{words}</span>
            </div>
        </Show>
    }
}

fn sorted<'a>(answer: &'a OperationsAnswer, filter: &str, sort: Sort) -> Vec<&'a OperationSummary> {
    let mut shown: Vec<&OperationSummary> =
        answer.operations.iter().filter(|operation| sort::matches(&operation.name, filter)).collect();
    let keys = |operation: &'a OperationSummary| Keys {
        name: &operation.name,
        red: &operation.red,
        instance_count: 0,
        last_seen: operation.last_seen_unix_nano.0,
    };
    order::sort(&mut shown, |a, b| sort.compare(&keys(a), &keys(b)));
    shown.truncate(ROWS_MAX);
    shown
}

fn row(context: ServiceContext, operation: &OperationSummary, steps: Steps, window: Window) -> impl IntoView + use<> {
    let href = traces_url(&context.name.get_untracked(), &operation.name, false, &context.range());
    let sparks = Sparks::of(&operation.series, &operation.red, steps, window);
    let name = if operation.name.is_empty() { "no name".to_owned() } else { operation.name.clone() };
    let red = &operation.red;
    view! {
        <tr data-testid="operation-row">
            <td class="cell-name"><span class="line"><a class="row-link cut" href=href title=name.clone()>{name.clone()}</a>
                <span class="faint small">{kind_words(operation.kind)}</span></span></td>
            <td class="number">{rate_words(red, window)}</td>
            <td class="wide spark-cell">{sparks.calls}</td>
            <td class=share_class(red::share(red))>{share_words(red)}</td>
            <td class="wide spark-cell">{sparks.errors}</td>
            <td class="number muted">{red::nano_words(red.p50_nano)}</td>
            <td class="number muted">{red::nano_words(red.p95_nano)}</td>
            <td class=p99_class(sparks.has_risen)>{red::nano_words(red.p99_nano)}</td>
            <td class="wide spark-cell">{sparks.p99}</td>
            <td class="number faint">{format::ago(operation.last_seen_unix_nano.0, session::now())}</td>
        </tr>
    }
}

/// OTLP's span kinds by their names.
fn kind_words(kind: i32) -> &'static str {
    match kind {
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "",
    }
}
