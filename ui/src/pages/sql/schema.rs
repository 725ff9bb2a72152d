//! Tables and their columns; a click writes a name into the query.

use leptos::prelude::*;

use super::SqlContext;

/// The tables.
#[component]
pub fn Tables() -> impl IntoView {
    let context: SqlContext = expect_context();
    let search = RwSignal::new(String::new());
    let open = RwSignal::new(None::<String>);
    let tables = move || {
        let schema = context.schema.get();
        let wanted = search.get().trim().to_lowercase();
        schema
            .tables
            .iter()
            .filter_map(|(name, columns)| {
                let all = wanted.is_empty() || name.contains(&wanted);
                let shown: Vec<(String, String)> = columns
                    .iter()
                    .filter(|(column, _)| all || column.to_lowercase().contains(&wanted))
                    .cloned()
                    .collect();
                (!shown.is_empty()).then(|| table(context, open, name.clone(), shown, !wanted.is_empty()))
            })
            .collect_view()
    };
    view! {
        <aside class="sql-schema" aria-label="Tables and columns">
            <div class="sql-schema-head">
                <input type="text" class="input" aria-label="Find a column" placeholder="Find a column"
                    data-testid="sql-schema-search" spellcheck="false" autocomplete="off"
                    prop:value=move || search.get() on:input=move |event| search.set(event_target_value(&event))/>
            </div>
            <div class="sql-tables" tabindex="0" role="region" aria-label="Tables">{tables}</div>
        </aside>
    }
}

fn table(
    context: SqlContext,
    open: RwSignal<Option<String>>,
    name: String,
    columns: Vec<(String, String)>,
    is_found: bool,
) -> impl IntoView {
    let is_open = {
        let name = name.clone();
        move || is_found || open.with(|open| open.as_ref() == Some(&name))
    };
    let shown = is_open.clone();
    let expanded = is_open.clone();
    let toggle = {
        let name = name.clone();
        move |_| open.update(|open| *open = if open.as_ref() == Some(&name) { None } else { Some(name.clone()) })
    };
    let count = columns.len();
    let columns = StoredValue::new(columns);
    let rows = move || {
        columns.with_value(|columns| {
            columns
                .iter()
                .map(|(column, kind)| {
                    let written = column.clone();
                    view! {
                        <li><button type="button" class="sql-column" title=format!("{column}: {kind}")
                            on:click=move |_| context.insert(&written)><span class="mono cut">{column.clone()}</span><span
                            class="faint cut small">{kind.clone()}</span></button></li>
                    }
                })
                .collect_view()
        })
    };
    view! {
        <button type="button" class="sql-table-name" class:on=is_open aria-expanded=move || expanded().to_string()
            data-testid="sql-table" on:click=toggle><span class="mono">{name}</span><span
            class="faint small">{count}</span></button>
        {move || shown().then(|| view! { <ul>{rows()}</ul> })}
    }
}
