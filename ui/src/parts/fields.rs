//! Names and values of a panel, with what can be done with them.

use leptos::prelude::*;
use serde_json::{Map, Value};
use ui_core::fields;

use crate::parts::CopyButton;
use crate::parts::icons::{self, icon};

/// What filtering by a value does: field, value, whether to exclude.
pub type OnFilter = Callback<(String, String, bool)>;

/// A group of attributes under a heading; nothing where there are none. `prefix` makes filter fields of names.
pub fn attribute_group(
    title: &'static str,
    attributes: &Map<String, Value>,
    prefix: &'static str,
    on_filter: Option<OnFilter>,
) -> Option<impl IntoView + use<>> {
    let rows = fields::rows(attributes);
    (!rows.is_empty()).then(|| {
        let rows = rows.into_iter().map(|(name, value)| {
            let field = format!("{prefix}{name}");
            field_row(name, value, on_filter.map(|callback| (callback, field)))
        });
        view! { <h3 class="label group">{title}</h3> <dl class="fields">{rows.collect_view()}</dl> }
    })
}

/// One name and value; with a field to filter by where that makes sense.
pub fn field_row(name: String, value: String, filter: Option<(OnFilter, String)>) -> impl IntoView {
    let copied = value.clone();
    let buttons = filter.map(|(callback, field)| {
        let (with, without) = ((field.clone(), value.clone(), false), (field, value.clone(), true));
        let include_label = format!("Only records with this {name}");
        let exclude_label = format!("Without this {name}");
        view! {
            <button type="button" class="button quiet icon-only" title=include_label.clone() aria-label=include_label
                on:click=move |_| callback.run(with.clone())>{icon(icons::PLUS)}</button>
            <button type="button" class="button quiet icon-only" title=exclude_label.clone() aria-label=exclude_label
                on:click=move |_| callback.run(without.clone())>{icon(icons::MINUS)}</button>
        }
    });
    view! {
        <div class="field">
            <dt class="mono" title=name.clone()>{name.clone()}</dt>
            <dd class="mono">
                <span class="field-value">{value}</span>
                <span class="field-buttons">
                    {buttons}
                    <CopyButton label="Copy the value" text=Callback::new(move |()| copied.clone())/>
                </span>
            </dd>
        </div>
    }
}

/// An exception with its stack trace folded after a few lines.
pub fn exception_card(exception: fields::Exception) -> impl IntoView {
    let lines: Vec<String> = exception.stacktrace.lines().map(str::to_owned).collect();
    let more = lines.len().saturating_sub(4);
    let head = lines.iter().take(4).cloned().collect::<Vec<_>>().join("\n");
    let all = exception.stacktrace;
    let open = RwSignal::new(false);
    view! {
        <div class="exception">
            <strong>{exception.kind}</strong>
            <div class="wrap">{exception.message}</div>
            {(!all.is_empty()).then(|| view! {
                <pre class="mono stack">{move || if open.get() { all.clone() } else { head.clone() }}</pre>
            })}
            {(more > 0).then(|| view! {
                <button type="button" class="button quiet" aria-expanded=move || open.get().to_string()
                    on:click=move |_| open.update(|open| *open = !*open)>
                    {move || if open.get() { "Fewer lines".to_owned() } else { format!("{more} more lines") }}
                </button>
            })}
        </div>
    }
}
