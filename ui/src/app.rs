//! Providers and routes.

use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;

use crate::pages::{
    connect::ConnectPage, home::HomePage, ingest::IngestPage, logs::LogsPage, map::MapPage, metrics::MetricsPage,
    missing::MissingPage, service::ServicePage, services::ServicesPage, sql::SqlPage, trace::TracePage,
    traces::TracesPage,
};
use crate::session::Session;
use crate::shell::Shell;
use crate::shortcuts::Shortcuts;

/// The whole UI.
#[component]
pub fn App() -> impl IntoView {
    provide_context(Session::start());
    provide_context(Shortcuts::start());
    view! {
        <Router>
            <Shell>
                <Routes fallback=MissingPage>
                    <Route path=path!("/") view=HomePage/>
                    <Route path=path!("/logs") view=LogsPage/>
                    <Route path=path!("/traces") view=TracesPage/>
                    <Route path=path!("/traces/:id") view=TracePage/>
                    <Route path=path!("/services") view=ServicesPage/>
                    <Route path=path!("/services/:name") view=ServicePage/>
                    <Route path=path!("/map") view=MapPage/>
                    <Route path=path!("/metrics") view=MetricsPage/>
                    <Route path=path!("/sql") view=SqlPage/>
                    <Route path=path!("/ingest") view=IngestPage/>
                    <Route path=path!("/connect") view=ConnectPage/>
                </Routes>
            </Shell>
        </Router>
    }
}
