//! The service's processes.

use api::Instance;
use leptos::prelude::*;
use ui_core::format;

use super::ServiceContext;
use crate::session;

/// The table.
#[component]
pub fn Instances() -> impl IntoView {
    let context: ServiceContext = expect_context();
    move || {
        context.service.data.with(|answer| {
            let instances = answer.as_ref().map(|answer| answer.instances.as_slice()).unwrap_or_default();
            match instances.is_empty() {
                true => view! { <p class="pad muted">"No instance was seen in this range."</p> }.into_any(),
                false => table(instances).into_any(),
            }
        })
    }
}

fn table(instances: &[Instance]) -> impl IntoView + use<> {
    let rows = instances.iter().map(row);
    view! {
        <table class="table" data-testid="instances">
            <thead><tr><th scope="col">"Instance"</th><th scope="col">"Version"</th><th scope="col">"Pod"</th>
                <th scope="col">"Host"</th><th scope="col">"SDK"</th><th scope="col" class="number">"Spans"</th>
                <th scope="col" class="number">"Logs"</th><th scope="col" class="number">"Last seen"</th></tr></thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
}

fn row(instance: &Instance) -> impl IntoView + use<> {
    let text = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
    let id = if instance.id.is_empty() { "not named".to_owned() } else { instance.id.clone() };
    // The pod often is the instance's name: once is enough.
    let pod = if instance.pod == instance.id { "same".to_owned() } else { text(&instance.pod) };
    view! {
        <tr data-testid="instance-row">
            <td class="cell-name"><span class="mono cut block" title=id.clone()>{id.clone()}</span></td>
            <td class="mono muted">{text(&instance.version)}</td>
            <td class="mono muted">{pod}</td>
            <td class="mono muted">{text(&instance.host)}</td>
            <td class="muted">{text(&instance.sdk_language)}</td>
            <td class="number">{format::count(instance.span_count)}</td>
            <td class="number">{format::count(instance.log_count)}</td>
            <td class="number faint">{format::ago(instance.last_seen_unix_nano.0, session::now())}</td>
        </tr>
    }
}
