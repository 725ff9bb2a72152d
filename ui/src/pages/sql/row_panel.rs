//! One row of the answer in full.

use leptos::prelude::*;
use ui_core::{fields, format};

use super::SqlContext;
use crate::parts::fields::field_row;
use crate::parts::icons::{self, icon};

/// The panel.
#[component]
pub fn RowPanel() -> impl IntoView {
    let context: SqlContext = expect_context();
    let rows = move || {
        let (answer, row) = (context.answer.data.get()?, context.opened.get()?);
        let values = answer.rows.get(row)?;
        let fields = answer.columns.iter().zip(values).map(|(column, value)| {
            let text = if value.is_null() { "null".to_owned() } else { fields::body_text(value) };
            field_row(column.name.clone(), text, None)
        });
        Some(view! { <dl class="fields">{fields.collect_view()}</dl> })
    };
    view! {
        <aside class="panel" data-testid="sql-row-detail" aria-label="Row">
            <div class="panel-head">
                <h2>{move || format!("Row {}", format::count(context.opened.get().map_or(0, |row| row as u64 + 1)))}</h2>
                <span class="gap"></span>
                <button type="button" class="button quiet icon-only" aria-label="Close" title="Close (Esc)"
                    on:click=move |_| context.opened.set(None)>{icon(icons::CLOSE)}</button>
            </div>
            <div class="panel-body" tabindex="0" role="region" aria-label="Values">{rows}</div>
        </aside>
    }
}
