//! How to send telemetry here, and whether any arrives.

use std::time::Duration;

use api::IngestStatus;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use ui_core::connect::{Endpoints, Snippet, snippets};
use ui_core::format;
use ui_core::params::Params;
use ui_core::requests;

use crate::fetch;
use crate::parts::icons::{self, icon};
use crate::parts::panel::{Tab, tabs};
use crate::parts::{CopyButton, every};
use crate::query::{Ask, Query, use_query_latest};
use crate::session::{Navigator, Session};

/// How often ingest is asked.
const POLL: Duration = Duration::from_millis(1_000);

/// The page.
#[component]
pub fn ConnectPage() -> impl IntoView {
    let session = Session::get();
    session.title.set("Connect".to_owned());
    let turn = RwSignal::new(0_u32);
    every(POLL, move || turn.update(|turn| *turn += 1));
    // The turn is part of the question only so that it is asked again; a slow answer is waited for.
    let asked = RwSignal::new(0_u32);
    let ask = move || Some(Ask::fresh(format!("{}#{}", requests::ingest_status(), asked.get())));
    let status = use_query_latest::<IngestStatus>(ask, fetch::decode);
    Effect::new(move |_| {
        let turn = turn.get();
        if status.phase.get_untracked() == crate::query::Phase::Done {
            asked.set(turn);
        }
    });
    let endpoints = Memo::new(move |_| {
        let host = window().location().hostname().unwrap_or_default();
        status.data.with(|status| Endpoints::of(status.as_deref().unwrap_or(&IngestStatus::default()), &host))
    });
    view! {
        <div class="scroll">
            <div class="connect">
                <StatusCard status/>
                <section class="card">
                    <h2>"Send telemetry here"</h2>
                    <p class="muted">"Spyhop speaks OTLP. Point any OpenTelemetry SDK, agent or Collector at one of these."</p>
                    {move || { let endpoints = endpoints.get(); view! {
                        <dl class="endpoints">
                            {endpoint("OTLP over HTTP", endpoints.http, "otlp-http")}
                            {endpoint("OTLP over gRPC", endpoints.grpc, "otlp-grpc")}
                        </dl>
                    } }}
                    {move || view! { <Snippets snippets=snippets(&endpoints.get())/> }}
                </section>
            </div>
        </div>
    }
}

fn endpoint(name: &'static str, address: String, test_id: &'static str) -> impl IntoView {
    let copied = address.clone();
    view! {
        <div class="endpoint">
            <dt class="label">{name}</dt>
            <dd class="mono"><span data-testid=test_id>{address}</span><CopyButton label="Copy the address"
                text=Callback::new(move |()| copied.clone())/></dd>
        </div>
    }
}

/// Whether anything arrives, by signal.
#[component]
fn StatusCard(status: Query<IngestStatus>) -> impl IntoView {
    let received = move |signal: &str| {
        status.data.with(|status| status.as_ref().and_then(|s| s.signals.get(signal).map(|c| c.received)).unwrap_or(0))
    };
    let total = Memo::new(move |_| received("logs") + received("traces") + received("metrics"));
    let has_data = Memo::new(move |_| {
        total.get() > 0 || status.data.with(|status| status.as_ref().is_some_and(|status| status.has_data))
    });
    let state = move || match (status.error.with(Option::is_some), has_data.get()) {
        (true, _) => "down",
        (_, true) => "on",
        _ => "waiting",
    };
    let rejected = move || {
        let sum = |status: &IngestStatus| status.signals.values().flat_map(|c| c.rejected.clone()).collect::<Vec<_>>();
        status.data.with(|status| status.as_deref().map(sum).unwrap_or_default())
    };
    let count = move |signal: &'static str, noun: &'static str| {
        view! {
            <div class="count" class:some=move || { received(signal) > 0 }>
                <span class="label">{noun}</span>
                <b data-testid=format!("connect-{signal}")>{move || format::count(received(signal))}</b>
            </div>
        }
    };
    view! {
        <section class=move || format!("card status-card {}", state())
            data-testid="connect-status" data-state=state aria-live="polite">
            <div class="status-head">
                <i class="status-dot" aria-hidden="true"></i>
                <div>
                    <h2>{move || match state() {
                        "down" => "Spyhop does not answer",
                        "on" if total.get() > 0 => "Data is arriving",
                        "on" => "Connected: data is stored here",
                        _ => "Waiting for the first record",
                    }}</h2>
                    <p class="muted">{move || match state() {
                        "down" => "This page asks every second and goes on by itself.",
                        "on" if total.get() > 0 => "Received since the server started:",
                        "on" => "Nothing has arrived since the server started.",
                        _ => "This turns green by itself when something arrives.",
                    }}</p>
                </div>
                <span class="gap"></span>
                <Show when=move || state() == "on">
                    <a class="button primary" href="/logs?live=1" data-testid="connect-logs">"See the logs"</a>
                    <a class="button" href="/traces">"See the traces"</a>
                </Show>
            </div>
            <div class="counts">
                {count("logs", "Log records")}
                {count("traces", "Spans")}
                {count("metrics", "Data points")}
            </div>
            {move || rejected().into_iter().filter(|(_, count)| *count > 0).map(|(reason, count)| view! {
                <p class="notice warn">{icon(icons::WARNING)}<span>{format!("{} rejected: {reason}", format::counted(count, "record"))}</span></p>
            }).collect_view()}
            {move || (state() == "waiting").then(|| view! {
                <p class="faint hint">"Nothing comes? A gRPC exporter needs port 4317 and an HTTP one 4318; the address begins with http://, not https://; from a container, localhost is the container itself."</p>
            })}
        </section>
    }
}

/// The snippets, one at a time.
#[component]
fn Snippets(snippets: Vec<Snippet>) -> impl IntoView {
    let navigator = Navigator::get();
    let location = use_location();
    let first = snippets.first().map_or("", |snippet| snippet.id);
    let ids: Vec<&'static str> = snippets.iter().map(|snippet| snippet.id).collect();
    let chosen = Signal::derive(move || {
        let wanted = location.search.with(|search| Params::parse(search).get("with").unwrap_or_default().to_owned());
        if ids.contains(&wanted.as_str()) { wanted } else { first.to_owned() }
    });
    let choose = Callback::new(move |id: String| {
        let mut params = Params::parse(&location.search.get_untracked());
        params.set("with", if id == first { "" } else { &id });
        navigator.replace(&params.behind(&location.pathname.get_untracked()));
    });
    let heads = snippets.iter().map(|snippet| Tab::plain(snippet.id, snippet.title)).collect();
    let shown = move || {
        let id = chosen.get();
        snippets.iter().find(|snippet| snippet.id == id).cloned().map(|snippet| {
            let copied = snippet.text.clone();
            view! {
                <p class="muted snippet-note">{snippet.note}</p>
                <div class="snippet">
                    <pre class="mono" data-testid="snippet" tabindex="0" aria-label="Snippet">{snippet.text}</pre>
                    <CopyButton label="Copy the snippet" word="Copy" text=Callback::new(move |()| copied.clone())/>
                </div>
            }
        })
    };
    view! { {tabs(heads, chosen, choose)} {shown} }
}
