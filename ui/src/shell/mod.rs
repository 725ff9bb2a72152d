//! What surrounds every page: navigation, the top bar, the sheet of shortcuts.

mod help;
mod services_switch;
mod time_picker;

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use ui_core::params::Params;
use ui_core::state::{self, LogsState, UrlState};

use crate::parts::CopyButton;
use crate::parts::icons::{self, icon};
use crate::session::{self, Navigator, Session};
use crate::shortcuts::Shortcuts;

/// Which page an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Logs,
    Traces,
    Trace,
    Services,
    Service,
    Map,
    Metrics,
    Sql,
    Ingest,
    Connect,
    Elsewhere,
}

impl Place {
    fn of(path: &str) -> Place {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        match (segments.next(), segments.next()) {
            (Some("logs"), None) => Place::Logs,
            (Some("traces"), None) => Place::Traces,
            (Some("traces"), Some(_)) => Place::Trace,
            (Some("services"), None) => Place::Services,
            (Some("services"), Some(_)) => Place::Service,
            (Some("map"), None) => Place::Map,
            (Some("metrics"), None) => Place::Metrics,
            (Some("sql"), None) => Place::Sql,
            (Some("ingest"), None) => Place::Ingest,
            (None | Some("connect"), None) => Place::Connect,
            _ => Place::Elsewhere,
        }
    }

    /// Whether what is shown depends on a time range.
    fn has_range(self) -> bool {
        matches!(
            self,
            Place::Logs
                | Place::Traces
                | Place::Services
                | Place::Service
                | Place::Map
                | Place::Metrics
                | Place::Ingest
        )
    }
}

/// The frame around the pages.
#[component]
pub fn Shell(children: Children) -> impl IntoView {
    let session = Session::get();
    let location = use_location();
    let place = Memo::new(move |_| location.pathname.with(|path| Place::of(path)));
    view! {
        <a class="skip" href="#main" rel="external">"Skip to the content"</a>
        <Rail place/>
        <header class="top">
            <h1 class="top-title">{move || session.title.get()}</h1>
            <Show when=move || place.get() == Place::Trace>
                <a class="button quiet" href=move || session.traces_url.get()>{icon(icons::LEFT)}"Back to traces"</a>
            </Show>
            <Show when=move || matches!(place.get(), Place::Services | Place::Service | Place::Map)>
                <services_switch::ServicesSwitch place/>
            </Show>
            <span class="gap"></span>
            <Show when=move || place.get().has_range()>
                <time_picker::TimePicker/>
            </Show>
            <Show when=move || !matches!(place.get(), Place::Connect | Place::Elsewhere)>
                <CopyButton label="Copy a link to what is shown, with fixed times"
                    text=Callback::new(move |()| shared_link(location.search.get_untracked()))/>
                <button type="button" class="button icon-only" data-testid="refresh" title="Fetch fresh data (r)"
                    aria-label="Fetch fresh data"
                    on:click=move |_| session.reloads.update(|n| *n += 1)>{icon(icons::REFRESH)}</button>
            </Show>
            <Show when=move || place.get() == Place::Logs><LiveButton/></Show>
            <button type="button" class="button icon-only" data-testid="theme-toggle"
                aria-label=move || if session.is_light.get() { "Use the dark theme" } else { "Use the light theme" }
                title=move || if session.is_light.get() { "Use the dark theme" } else { "Use the light theme" }
                on:click=move |_| session.toggle_theme()>
                {move || if session.is_light.get() { icon(icons::MOON) } else { icon(icons::SUN) }}
            </button>
            <div class="progress" class:on=move || { session.busy.get() > 0 } aria-hidden="true"></div>
        </header>
        <main id="main" class="main" tabindex="-1">{children()}</main>
        <help::Help/>
    }
}

/// The pages, down the left.
#[component]
fn Rail(place: Memo<Place>) -> impl IntoView {
    let session = Session::get();
    let navigator = Navigator::get();
    let logs_url = Memo::new(move |_| page_url("/logs", session));
    let traces_url = Memo::new(move |_| page_url("/traces", session));
    let services_url = Memo::new(move |_| page_url("/services", session));
    let metrics_url = Memo::new(move |_| page_url("/metrics", session));
    let ingest_url = Memo::new(move |_| page_url("/ingest", session));
    Shortcuts::add(move |key| match key {
        "g l" => {
            navigator.push(&logs_url.get_untracked());
            true
        }
        "g t" => {
            navigator.push(&traces_url.get_untracked());
            true
        }
        "g s" => {
            navigator.push(&services_url.get_untracked());
            true
        }
        "g m" => {
            navigator.push(&metrics_url.get_untracked());
            true
        }
        "g q" => {
            navigator.push("/sql");
            true
        }
        "g i" => {
            navigator.push(&ingest_url.get_untracked());
            true
        }
        "g c" => {
            navigator.push("/connect");
            true
        }
        "r" => {
            session.reloads.update(|n| *n += 1);
            true
        }
        "?" => {
            session.shows_help.update(|shown| *shown = !*shown);
            true
        }
        _ => false,
    });
    let link =
        move |url: Signal<String>, name: &'static str, path: &'static str, keys: &'static str, on: Signal<bool>| {
            view! {
                <a href=move || url.get() class="rail-link" class:on=move || on.get() title=format!("{name} ({keys})")
                    aria-label=name aria-current=move || on.get().then_some("page")>{icon(path)}</a>
            }
        };
    let on_logs = Signal::derive(move || place.get() == Place::Logs);
    let on_traces = Signal::derive(move || matches!(place.get(), Place::Traces | Place::Trace));
    let on_services = Signal::derive(move || matches!(place.get(), Place::Services | Place::Service | Place::Map));
    let on_metrics = Signal::derive(move || place.get() == Place::Metrics);
    let on_sql = Signal::derive(move || place.get() == Place::Sql);
    let on_ingest = Signal::derive(move || place.get() == Place::Ingest);
    let on_connect = Signal::derive(move || place.get() == Place::Connect);
    view! {
        <nav class="rail" aria-label="Pages">
            <a href="/" class="rail-mark" aria-label="Spyhop, start" title="Spyhop">{icon(icons::MARK)}</a>
            {link(logs_url.into(), "Logs", icons::LOGS, "g l", on_logs)}
            {link(traces_url.into(), "Traces", icons::TRACES, "g t", on_traces)}
            {link(services_url.into(), "Services", icons::SERVICES, "g s", on_services)}
            {link(metrics_url.into(), "Metrics", icons::METRICS, "g m", on_metrics)}
            {link(Signal::stored("/sql".to_owned()), "SQL", icons::SQL, "g q", on_sql)}
            <span class="rail-gap"></span>
            {link(ingest_url.into(), "Ingest", icons::INGEST, "g i", on_ingest)}
            {link(Signal::stored("/connect".to_owned()), "Connect", icons::CONNECT, "g c", on_connect)}
            <button type="button" class="rail-link" title="Shortcuts (?)" aria-label="Shortcuts"
                on:click=move |_| session.shows_help.set(true)>{icon(icons::HELP)}</button>
        </nav>
    }
}

/// The address of what is shown, its range fixed to the times it means now, so that it means the same to others.
fn shared_link(search: String) -> String {
    let location = window().location();
    let mut params = Params::parse(&search);
    let path = location.pathname().unwrap_or_default();
    if Place::of(&path).has_range() {
        let window = state::read_range(&params).resolve_or_default(session::now());
        state::write_range(&mut params, &window.to_text());
        params.set_flag("live", false);
    }
    format!("{}{}", location.origin().unwrap_or_default(), params.behind(&path))
}

/// A page's address with the range last looked at.
fn page_url(path: &str, session: Session) -> String {
    let mut params = Params::default();
    session.range.with(|range| state::write_range(&mut params, range));
    params.behind(path)
}

/// Turns live refresh of the logs on and off.
#[component]
fn LiveButton() -> impl IntoView {
    let navigator = Navigator::get();
    let search = use_location().search;
    let live = Memo::new(move |_| search.with(|search| LogsState::parse(search).live));
    let toggle = move || {
        let search = search.get_untracked();
        let mut state = LogsState::parse(&search);
        state.live = !state.live;
        if state.live && !state.range.is_relative() {
            state.range = Default::default();
        }
        navigator.push(&state.url_over(&search));
    };
    Shortcuts::add(move |key| {
        if key == "l" {
            toggle();
        }
        key == "l"
    });
    view! {
        <button type="button" class="button" class:on=move || live.get() data-testid="live-toggle"
            aria-pressed=move || live.get().to_string() title="Show new records as they come (l)"
            on:click=move |_| toggle()>
            <i class="dot live-dot" aria-hidden="true"></i>"Live"
        </button>
    }
}
