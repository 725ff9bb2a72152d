//! The service's newest failures, each a way to its trace.

use api::ErrorSample;
use leptos::prelude::*;
use ui_core::service_state::{trace_url, traces_url};
use ui_core::{format, red};

use super::ServiceContext;

/// The list.
#[component]
pub fn Errors() -> impl IntoView {
    let context: ServiceContext = expect_context();
    let all = move || traces_url(&context.name.get(), "", true, &context.state.with(|state| state.range.clone()));
    let rows = move || {
        context.service.data.with(|answer| {
            let errors = answer.as_ref().map(|answer| answer.latest_errors.as_slice()).unwrap_or_default();
            match errors.is_empty() {
                true => view! { <p class="pad muted">"Nothing failed in this range."</p> }.into_any(),
                false => table(context, errors).into_any(),
            }
        })
    };
    view! {
        {rows}
        <p class="pad"><a href=all>"All traces with errors"</a></p>
    }
}

fn table(context: ServiceContext, errors: &[ErrorSample]) -> impl IntoView + use<> {
    let rows = errors.iter().map(|error| row(context, error));
    view! {
        <table class="table" data-testid="errors">
            <thead><tr><th scope="col">"Time"</th><th scope="col">"Error"</th><th scope="col">"Message"</th>
                <th scope="col">"Operation"</th></tr></thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
}

fn row(context: ServiceContext, error: &ErrorSample) -> impl IntoView + use<> {
    let time = error.time_unix_nano.0;
    let offset = context.session.offset_minutes(time);
    let title = red::error_title(error).into_owned();
    let link = match &error.trace_id {
        Some(id) => view! {
            <a class="row-link mono" href=trace_url(id, error.span_id.as_deref())
                title=error.exception_type.clone()>{title}</a>
        }
        .into_any(),
        None => view! { <span class="mono" title=error.exception_type.clone()>{title}</span> }.into_any(),
    };
    view! {
        <tr data-testid="error-row">
            <td class="mono muted cell-time" title=format!("{} {}", format::exact(time, offset), format::zone(offset))>
                <span class="faint">{format!("{} ", format::date(time, offset).get(5..).unwrap_or_default())}</span>{format::clock(time, offset)}</td>
            <td class="error-name">{link}</td>
            <td class="cell-message muted"><span class="cut block" title=error.message.clone()>{format::cut(error.message.trim(), 300)}</span></td>
            <td class="muted">{error.operation.clone()}</td>
        </tr>
    }
}
