//! The answer as a table: rows near the viewport only, columns as wide as what they hold.

use std::sync::Arc;

use api::SqlAnswer;
use leptos::prelude::*;
use ui_core::sql::{ColumnLook, cell_text, columns};
use ui_core::state::trace_path;
use ui_core::{csv, format};

use super::{ROW_HEIGHT, SqlContext};
use crate::parts::download::download;
use crate::parts::icons::{self, icon};
use crate::parts::list::{VirtualList, row_style};
use crate::parts::states::stats_words;

/// Pixels of a character of the table's font.
const CHARACTER_WIDTH: f64 = 7.3;
/// Pixels beside a cell's text.
const CELL_PADDING: f64 = 28.0;

/// An answer and how its columns look, equal to itself only.
#[derive(Clone)]
struct Table(Arc<SqlAnswer>, Arc<Vec<ColumnLook>>);

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The table.
#[component]
pub fn Results() -> impl IntoView {
    let context: SqlContext = expect_context();
    let table = Memo::new(move |_| {
        context.answer.data.get().map(|answer| {
            let looks = Arc::new(columns(&answer));
            Table(answer, looks)
        })
    });
    let has_rows = move || table.with(|table| table.as_ref().is_some_and(|table| !table.0.rows.is_empty()));
    let shape = move || table.with(|table| table.as_ref().map(|table| shape(&table.1)));
    let count = Memo::new(move |_| table.with(|table| table.as_ref().map_or(0, |table| table.0.rows.len())));
    let key = move |index: usize| {
        let address = table.with(|table| table.as_ref().map_or(0, |table| Arc::as_ptr(&table.0) as u64));
        index as u64 ^ address.rotate_left(20)
    };
    let row = move |index: usize| {
        let table = table.get_untracked();
        table.map_or_else(|| ().into_any(), |table| row(context, &table, index).into_any())
    };
    let shift = move || format!("transform:translateX({}px)", -context.scroll.left.get());
    let heads = move || table.with(|table| table.as_ref().map(|table| heads(&table.1)));
    view! {
        <Summary/>
        <Show when=has_rows fallback=|| view! {
            <div class="state" data-testid="empty"><h2>"The query gave no rows"</h2></div>
        }>
            <div class="sql-table" style=shape data-testid="sql-table-result">
                <div class="sql-head" aria-hidden="true"><div class="sql-columns" style=shift>{heads}</div></div>
                <VirtualList scroll=context.scroll count key row cursor=context.cursor role="grid" label="Rows of the answer"
                    id="sql"/>
            </div>
        </Show>
    }
}

/// Widths of the columns as custom properties of the table.
fn shape(looks: &[ColumnLook]) -> String {
    let width = |look: &ColumnLook| look.width as f64 * CHARACTER_WIDTH + CELL_PADDING;
    let widths: Vec<String> = looks.iter().map(|look| format!("{:.0}px", width(look))).collect();
    let total: f64 = looks.iter().map(width).sum();
    format!("--columns:{} minmax(0,1fr);--table-width:{total:.0}px", widths.join(" "))
}

fn heads(looks: &[ColumnLook]) -> impl IntoView + use<> {
    let head = |look: &ColumnLook| {
        view! {
            <span class="cut" class:number=look.is_number title=format!("{}: {}", look.name, look.kind)>
                <b class="mono">{look.name.clone()}</b>" "<span class="faint">{look.kind.clone()}</span>
            </span>
        }
    };
    looks.iter().map(head).collect_view()
}

fn row(context: SqlContext, table: &Table, index: usize) -> Option<impl IntoView + use<>> {
    let values = table.0.rows.get(index)?;
    let selected = move || context.cursor.get() == Some(index);
    let open = move |_| {
        let is_selecting = window().get_selection().ok().flatten().is_some_and(|selection| !selection.is_collapsed());
        if !is_selecting {
            context.cursor.set(Some(index));
            context.opened.set(Some(index));
        }
    };
    let cells = values.iter().zip(table.1.iter()).map(|(value, look)| {
        let text = cell_text(value);
        let content = match (value.is_null(), look.is_trace_id && !text.is_empty()) {
            (true, _) => view! { <span class="faint">"null"</span> }.into_any(),
            (_, true) => {
                let href = trace_path(&text);
                view! { <a href=href tabindex="-1" on:click=|event| event.stop_propagation()>{text}</a> }.into_any()
            }
            _ => text.into_any(),
        };
        view! { <span class="mono cut" class:number=look.is_number role="gridcell">{content}</span> }
    });
    Some(view! {
        <div class="sql-row sql-columns" class:selected=selected id=format!("sql-{index}") role="row"
            aria-rowindex=(index + 1).to_string() aria-selected=move || selected().to_string() data-testid="sql-row"
            style=row_style(index, ROW_HEIGHT) on:click=open>{cells.collect_view()}</div>
    })
}

/// How many rows, what they cost, and the way to a file.
#[component]
fn Summary() -> impl IntoView {
    let context: SqlContext = expect_context();
    let answer = context.answer.data;
    let count = move || answer.with(|answer| answer.as_ref().map_or(0, |answer| answer.rows.len()));
    let cost =
        move || answer.with(|answer| answer.as_ref().map(|answer| stats_words(&answer.stats, &answer.completeness)));
    let is_cut = move || answer.with(|answer| answer.as_ref().is_some_and(|answer| answer.truncated));
    let save = move |_| {
        if let Some(answer) = answer.get_untracked() {
            let text = csv::file(answer.columns.iter().map(|column| column.name.as_str()), &answer.rows);
            download("spyhop.csv", "text/csv;charset=utf-8", &text);
        }
    };
    view! {
        <div class="summary">
            <strong data-testid="sql-count">{move || format::count(count() as u64)}</strong>
            <span class="muted">{move || if count() == 1 { "row" } else { "rows" }}</span>
            <span class="faint cut" data-testid="stats">{cost}</span>
            <span class="gap"></span>
            <button type="button" class="button" data-testid="sql-download" disabled=move || count() == 0
                title="These rows as a file for spreadsheets" on:click=save>"Download CSV"</button>
        </div>
        <Show when=is_cut>
            <p class="notice warn" data-testid="sql-truncated">{icon(icons::WARNING)}
                <span>{move || format!("Only the first {} rows are shown: the answer was cut at the server's limit. Narrow it with WHERE, or add up with GROUP BY.", format::count(count() as u64))}</span></p>
        </Show>
    }
}
