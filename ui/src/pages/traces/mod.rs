//! Traces: filters and a list.

mod list;

use api::filter::Target;
use api::{ServicesAnswer, TraceSearchAnswer, TraceSummary};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_location;
use model::time;
use ui_core::format;
use ui_core::range::{MINUTE, Window};
use ui_core::requests;
use ui_core::state::{TracesState, UrlState};

use crate::fetch;
use crate::parts::list::Scroll;
use crate::parts::query_bar::QueryBar;
use crate::parts::states::{Failure, FailureLine, Skeleton, stats_words};
use crate::query::{Query, use_query_latest};
use crate::run::{Run, use_run};
use crate::session::{Navigator, Session};
use crate::shortcuts::Shortcuts;

/// Height of a row in pixels; the style sheet's `.trace-row` fits in it.
const ROW_HEIGHT: f64 = 32.0;

/// What the parts of the page share; handles, cheap to copy.
#[derive(Clone, Copy)]
struct TracesContext {
    session: Session,
    navigator: Navigator,
    search: Memo<String>,
    state: Memo<TracesState>,
    run: RwSignal<Option<Run<TracesState>>>,
    traces: RwSignal<Vec<TraceSummary>>,
    next: RwSignal<Option<String>>,
    loads_more: RwSignal<bool>,
    cursor: RwSignal<Option<usize>>,
    scroll: Scroll,
}

impl TracesContext {
    fn change(self, change: impl FnOnce(&mut TracesState)) {
        let mut state = self.state.get_untracked();
        change(&mut state);
        if state == self.state.get_untracked() {
            self.session.reloads.update(|n| *n += 1);
        } else {
            self.navigator.push(&state.url_over(&self.search.get_untracked()));
        }
    }

    fn step(self, by: i64) {
        let rows = self.traces.with_untracked(Vec::len);
        if let Some(row) = ui_core::window::step(self.cursor.get_untracked(), by, rows) {
            self.cursor.set(Some(row));
            self.scroll.show(row);
        }
    }

    fn open(self) -> bool {
        let row = self.cursor.get_untracked();
        let id = row.and_then(|row| self.traces.with_untracked(|traces| traces.get(row).map(|t| t.trace_id.clone())));
        if let Some(id) = &id {
            self.navigator.push(&ui_core::state::trace_path(id));
        }
        id.is_some()
    }

    fn load_more(self) {
        let (Some(run), Some(cursor)) = (self.run.get_untracked(), self.next.get_untracked()) else { return };
        if self.loads_more.get_untracked() {
            return;
        }
        self.loads_more.set(true);
        let url = requests::traces(&run.state, run.window, Some(&cursor));
        spawn_local(async move {
            let answer = fetch::fetch_bytes(&url, None).await.and_then(fetch::decode::<TraceSearchAnswer>);
            self.loads_more.try_set(false);
            let is_same =
                self.run.try_with_untracked(|now| now.as_ref().map(|run| run.number)) == Some(Some(run.number));
            if let (true, Ok(answer)) = (is_same, answer) {
                self.session
                    .assign_slots(answer.traces.iter().flat_map(|trace| trace.services.keys().map(String::as_str)));
                self.traces.update(|traces| traces.extend(answer.traces));
                self.next.set(answer.next_cursor);
            }
        });
    }
}

/// The page.
#[component]
pub fn TracesPage() -> impl IntoView {
    let session = Session::get();
    session.title.set("Traces".to_owned());
    let search = use_location().search;
    let state = Memo::new(move |_| search.with(|search| TracesState::parse(search)));
    let run = use_run(move || {
        let asked = state.get();
        session.traces_url.set(asked.url());
        (asked.clone(), asked.range.clone(), asked.url())
    });
    let context = TracesContext {
        session,
        navigator: Navigator::get(),
        search,
        state,
        run,
        traces: RwSignal::new(Vec::new()),
        next: RwSignal::new(None),
        loads_more: RwSignal::new(false),
        cursor: RwSignal::new(None),
        scroll: Scroll::new(ROW_HEIGHT),
    };
    provide_context(context);
    let found = use_query_latest::<TraceSearchAnswer>(
        move || run.get().map(|run| run.ask(requests::traces(&run.state, run.window, None))),
        fetch::decode,
    );
    let services = use_query_latest::<ServicesAnswer>(
        move || run.get().map(|run| run.ask(requests::services(run.window))),
        fetch::decode,
    );
    fill(context, found);
    keys(context);
    let server_error = Signal::derive(move || {
        found.error.get().filter(|error| error.position.is_some()).map(|error| (error.detail, error.position))
    });
    view! {
        <div class="traces">
            <QueryBar
                query=Signal::derive(move || state.with(|state| state.query.clone()))
                run=Callback::new(move |query: String| context.change(|state| state.query = query))
                target=Target::Spans
                label="Filter traces by their spans"
                placeholder="Words, name:\"POST /checkout\", http.response.status_code:>=500, or a trace id"
                server_error=server_error
            />
            <Filters services/>
            <Summary found/>
            <section class="traces-rows" aria-label="Traces found">{move || body(context, found)}</section>
        </div>
    }
}

/// Takes each first page into the list, and keeps for Back how far it was scrolled.
fn fill(context: TracesContext, found: Query<TraceSearchAnswer>) {
    Effect::new(move |_| {
        let Some(answer) = found.data.get() else { return };
        context.session.assign_slots(answer.traces.iter().flat_map(|trace| trace.services.keys().map(String::as_str)));
        context.traces.set(answer.traces.clone());
        context.next.set(answer.next_cursor.clone());
        context.cursor.set(None);
        let restored = context.run.get_untracked().filter(|run| run.restored);
        context.scroll.to(restored.map_or(0.0, |run| context.session.scroll(&run.state.url())));
    });
    on_cleanup(move || {
        if let Some(run) = context.run.try_get_untracked().flatten() {
            context.session.keep_scroll(run.state.url(), context.scroll.top.try_get_untracked().unwrap_or(0.0));
        }
    });
}

fn keys(context: TracesContext) {
    Shortcuts::add(move |key| match key {
        "j" | "ArrowDown" => {
            context.step(1);
            true
        }
        "k" | "ArrowUp" => {
            context.step(-1);
            true
        }
        "Enter" | "o" => context.open(),
        _ => false,
    });
}

/// Service, operation, errors, duration.
#[component]
fn Filters(services: Query<ServicesAnswer>) -> impl IntoView {
    let context: TracesContext = expect_context();
    let state = context.state;
    let names = move || {
        let mut names: Vec<String> = services.data.with(|answer| {
            answer.as_ref().map(|a| a.services.iter().map(|s| s.name.clone()).collect()).unwrap_or_default()
        });
        let chosen = state.with(|state| state.service.clone());
        if !chosen.is_empty() && !names.contains(&chosen) {
            names.push(chosen);
        }
        names
    };
    let wrong = RwSignal::new(false);
    let set_duration = move |event| {
        let typed = event_target_value(&event).trim().replace(' ', "");
        let is_good = typed.is_empty() || time::parse_duration(&typed).is_some();
        wrong.set(!is_good);
        if is_good {
            context.change(|state| state.duration_min = typed);
        }
    };
    let options = move || {
        let chosen = state.with(|state| state.service.clone());
        names()
            .into_iter()
            .map(|name| {
                let is_chosen = name == chosen;
                view! { <option value=name.clone() selected=is_chosen>{name.clone()}</option> }
            })
            .collect_view()
    };
    view! {
        <div class="filters">
            <label><span class="label">"Service"</span>
                <select class="input" data-testid="filter-service"
                    prop:value=move || { names(); state.with(|state| state.service.clone()) }
                    on:change=move |event| { let service = event_target_value(&event); context.change(|state| state.service = service) }>
                    <option value="">"All"</option>
                    {options}
                </select>
            </label>
            <label><span class="label">"Operation"</span>
                <input class="input wide" type="text" data-testid="filter-operation" placeholder="POST /checkout"
                    spellcheck="false"
                    prop:value=move || state.with(|state| state.operation.clone())
                    on:change=move |event| { let name = event_target_value(&event).trim().to_owned(); context.change(|state| state.operation = name) }/>
            </label>
            <label><span class="label">"At least"</span>
                <input class="input short" class:wrong=move || wrong.get() type="text"
                    data-testid="filter-duration" placeholder="100ms" spellcheck="false"
                    aria-invalid=move || wrong.get().to_string() title="A duration: 500us, 100ms, 1.2s"
                    prop:value=move || state.with(|state| state.duration_min.clone()) on:change=set_duration/>
            </label>
            <button type="button" class="button" class:on=move || state.with(|state| state.errors_only)
                data-testid="filter-errors"
                aria-pressed=move || state.with(|state| state.errors_only).to_string()
                on:click=move |_| context.change(|state| state.errors_only = !state.errors_only)>"Errors only"</button>
            <Show when=move || state.with(TracesState::is_filtered)>
                <button type="button" class="button quiet" on:click=move |_| context.change(|state| {
                    *state = TracesState { range: state.range.clone(), ..TracesState::default() };
                })>"Clear filters"</button>
            </Show>
        </div>
    }
}

/// How many, what it cost.
#[component]
fn Summary(found: Query<TraceSearchAnswer>) -> impl IntoView {
    let context: TracesContext = expect_context();
    let count = move || {
        let (count, more) = (context.traces.with(Vec::len) as u64, context.next.with(Option::is_some));
        format!("{}{}", format::count(count), if more { "+" } else { "" })
    };
    let cost = move || {
        found.data.with(|answer| answer.as_ref().map(|answer| stats_words(&answer.stats, &answer.completeness)))
    };
    view! {
        <div class="summary">
            <strong data-testid="trace-total">{count}</strong>
            <span class="muted">{move || if context.traces.with(Vec::len) == 1 { "trace" } else { "traces" }}</span>
            <span class="faint cut" data-testid="stats">{cost}</span>
        </div>
    }
}

fn body(context: TracesContext, found: Query<TraceSearchAnswer>) -> AnyView {
    let is_empty = Memo::new(move |_| context.traces.with(Vec::is_empty));
    match (is_empty.get(), found.error.get(), found.is_first_load()) {
        (true, Some(error), _) => view! { <Failure error/> }.into_any(),
        (true, None, true) => view! { <Skeleton label="Loading traces"/> }.into_any(),
        (true, None, false) => view! { <Nothing/> }.into_any(),
        (false, error, _) => view! {
            {error.map(|error| view! { <FailureLine error/> })}
            <list::List/>
        }
        .into_any(),
    }
}

/// No traces: because none is stored, none is in this range, or none matches.
#[component]
fn Nothing() -> impl IntoView {
    let context: TracesContext = expect_context();
    let run = context.run;
    let newest = use_query_latest::<TraceSearchAnswer>(
        move || run.get().map(|run| run.ask(format!("{}?limit=1#{}", api::paths::TRACES, run.number))),
        fetch::decode,
    );
    let newest_time =
        move || newest.data.with(|answer| answer.as_ref().map(|a| a.traces.first().map(|t| t.start_time_unix_nano.0)));
    let is_filtered = move || context.state.with(TracesState::is_filtered);
    view! {
        <div class="state" data-testid="empty">
            {move || match (is_filtered(), newest_time()) {
                (_, Some(None)) => view! {
                    <h2>"No trace was ever stored"</h2>
                    <p>"Point an OpenTelemetry SDK here and traces appear within a second."</p>
                    <a class="button primary" href="/connect">"Connect a service"</a>
                }.into_any(),
                (true, _) => view! {
                    <h2>"Nothing matches these filters in this range"</h2>
                    <p>"Choose a longer range, or take filters away."</p>
                    <button type="button" class="button primary" on:click=move |_| context.change(|state| {
                        *state = TracesState { range: state.range.clone(), ..TracesState::default() };
                    })>"Clear filters"</button>
                }.into_any(),
                (false, Some(Some(time))) => {
                    let offset = context.session.offset_minutes(time);
                    let range = Window { start: time.saturating_sub(15 * MINUTE), end: time.saturating_add(15 * MINUTE) }.to_text();
                    view! {
                        <h2>"No traces in this range"</h2>
                        <p>{format!("The newest is of {} {}.", &format::exact(time, offset)[..19], format::zone(offset))}</p>
                        <button type="button" class="button primary"
                            on:click=move |_| { let range = range.clone(); context.change(|state| state.range = range) }>"Go there"</button>
                    }.into_any()
                }
                (false, None) => view! { <h2>"No traces in this range"</h2> }.into_any(),
            }}
        </div>
    }
}
