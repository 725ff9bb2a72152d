//! The metrics there are.

use std::time::Duration;

use api::MetricSummary;
use leptos::html::Input;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use ui_core::colour::fnv1a;
use ui_core::metrics::kind_words;
use ui_core::state::UrlState;
use ui_core::{format, requests};

use super::{MetricsContext, ROW_HEIGHT};
use crate::fetch;
use crate::parts::icons::{self, icon};
use crate::parts::list::{VirtualList, row_style};
use crate::parts::service_tag;
use crate::parts::states::stats_words;
use crate::query::use_query_latest;
use crate::session;
use crate::shortcuts::focus_on_slash;

/// How long typing must pause before the list is asked for.
const PAUSE: Duration = Duration::from_millis(150);
/// Services named in a row; the rest are counted.
const SERVICES_MAX: usize = 3;

/// The search box and what was found.
#[component]
pub fn Search() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let node = NodeRef::<Input>::new();
    let pending = StoredValue::new_local(None::<TimeoutHandle>);
    let typed = move |event| {
        let text = event_target_value(&event);
        if let Some(Some(handle)) = pending.try_update_value(Option::take) {
            handle.clear();
        }
        let search = move || context.go(true, |state| state.search = text.trim().to_owned());
        pending.set_value(set_timeout_with_handle(search, PAUSE).ok());
    };
    focus_on_slash(node);
    let list = context.list.data;
    let count = move || {
        list.with(|answer| {
            answer.as_ref().map(|answer| {
                let more = if answer.truncated { "+" } else { "" };
                format!("{}{more}", format::count(answer.metrics.len() as u64))
            })
        })
    };
    let cost =
        move || list.with(|answer| answer.as_ref().map(|answer| stats_words(&answer.stats, &answer.completeness)));
    view! {
        <div class="metrics-search">
            <div class="find" role="search">
                {icon(icons::SEARCH)}
                <input node_ref=node type="text" class="input" data-testid="metrics-search"
                    aria-label="Find a metric" placeholder="Find a metric by name or description" spellcheck="false"
                    autocomplete="off"
                    prop:value=move || context.state.with(|state| state.search.clone()) on:input=typed/>
                <kbd aria-hidden="true">"/"</kbd>
            </div>
        </div>
        <div class="summary">
            <strong data-testid="metrics-total">{count}</strong>
            <span class="muted">"metrics"</span>
            <span class="faint cut metrics-cost" data-testid="stats">{cost}</span>
        </div>
    }
}

/// The list.
#[component]
pub fn List() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let list = context.list.data;
    let count = Memo::new(move |_| list.with(|answer| answer.as_ref().map_or(0, |answer| answer.metrics.len())));
    let key = move |index: usize| {
        let address = list.with(|answer| answer.as_ref().map_or(0, |answer| std::sync::Arc::as_ptr(answer) as u64));
        // Rows are links, and what they lead to depends on the range and the search.
        let leads = context.state.with(|state| fnv1a(&format!("{:?}{}", state.range, state.search)));
        index as u64 ^ address.rotate_left(20) ^ leads
    };
    let row = move |index: usize| {
        let metric = list.with_untracked(|answer| answer.as_ref().and_then(|a| a.metrics.get(index).cloned()));
        metric.map_or_else(|| ().into_any(), |metric| row(context, index, metric).into_any())
    };
    let is_cut = move || list.with(|answer| answer.as_ref().is_some_and(|answer| answer.truncated));
    view! {
        <div class="metric-row-head label" aria-hidden="true">
            <span>"Name"</span><span>"Type"</span><span>"Unit"</span><span class="number">"Series"</span>
            <span>"Services"</span><span>"Description"</span><span class="number">"Last seen"</span>
        </div>
        <VirtualList scroll=context.scroll count key row cursor=context.cursor role="grid" label="Metrics by name"
            id="metric"/>
        <div class="list-foot faint" role="status">
            {move || is_cut().then(|| format!("The first {} are listed; type to find others.", format::count(requests::METRICS_MAX as u64)))}
        </div>
    }
}

fn row(context: MetricsContext, index: usize, metric: MetricSummary) -> impl IntoView + use<> {
    let session = context.session;
    session.assign_slots(metric.services.iter().map(String::as_str));
    let mut chosen = context.state.get_untracked();
    chosen.choose(&metric.name);
    let href = chosen.url();
    let name = metric.name.clone();
    let selected = move || context.cursor.get() == Some(index);
    let charted = move || context.state.with(|state| state.metric == name);
    let others = metric.services.len().saturating_sub(SERVICES_MAX);
    let services = metric.services.iter().take(SERVICES_MAX).map(|name| service_tag(session, name)).collect_view();
    let seen = metric.last_seen_unix_nano.0;
    let offset = session.offset_minutes(seen);
    view! {
        <div class="metric-row" class:selected=selected id=format!("metric-{index}") role="row"
            aria-rowindex=(index + 1).to_string() aria-selected=move || charted().to_string() data-testid="metric-row"
            style=row_style(index, ROW_HEIGHT)>
            <span class="cut" role="gridcell"><a href=href class="row-link mono" tabindex="-1"
                title=metric.name.clone()>{metric.name.clone()}</a></span>
            <span class="muted small cut" role="gridcell">{kind_words(&metric)}</span>
            <span class="mono muted cut" role="gridcell">{metric.unit.clone()}</span>
            <span class="number mono" role="gridcell">{format::short_count(metric.series_count)}</span>
            <span class="trace-services" role="gridcell">{services}{(others > 0).then(|| view! { <span
                class="faint">{format!("+{others}")}</span> })}</span>
            <span class="muted small cut" role="gridcell" title=metric.description.clone()>{metric.description.clone()}</span>
            <span class="muted small number" role="gridcell"
                title=format!("{} {}", format::exact(seen, offset), format::zone(offset))>{format::ago(seen, session::now())}</span>
        </div>
    }
}

/// No metrics: because none was ever sent, none in this range, or none of this name.
#[component]
pub fn Nothing() -> impl IntoView {
    let context: MetricsContext = expect_context();
    let is_searched = move || context.state.with(|state| !state.search.is_empty());
    let any = use_query_latest::<api::MetricsAnswer>(
        move || context.run.get().map(|run| run.ask(format!("{}?limit=1#{}", api::paths::METRICS, run.number))),
        fetch::decode,
    );
    let has_any = move || any.data.with(|answer| answer.as_ref().map(|answer| !answer.metrics.is_empty()));
    view! {
        <div class="state" data-testid="empty">
            {move || match (is_searched(), has_any()) {
                (true, _) => view! {
                    <h2>"No metric matches"</h2>
                    <p class="mono">{move || context.state.with(|state| state.search.clone())}</p>
                    <button type="button" class="button primary"
                        on:click=move |_| context.go(false, |state| state.search.clear())>"Show all metrics"</button>
                }.into_any(),
                (false, Some(false)) => view! {
                    <h2>"No metric was ever stored"</h2>
                    <p>"Point an OpenTelemetry SDK here and metrics appear with the next export, usually within a minute."</p>
                    <a class="button primary" href="/connect">"Connect a service"</a>
                }.into_any(),
                _ => view! { <h2>"No metrics in this range"</h2><p>"Choose a longer or a later range."</p> }.into_any(),
            }}
        </div>
    }
}
