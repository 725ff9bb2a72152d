//! The start: logs where there is data, else how to send some.

use api::IngestStatus;
use leptos::prelude::*;
use ui_core::requests;

use crate::fetch;
use crate::pages::connect::ConnectPage;
use crate::parts::states::Skeleton;
use crate::query::{Ask, use_query_latest};
use crate::session::{Navigator, Session};

/// The start page.
#[component]
pub fn HomePage() -> impl IntoView {
    Session::get().title.set("Spyhop".to_owned());
    let navigator = Navigator::get();
    let ask = || Some(Ask::fresh(requests::ingest_status()));
    let status = use_query_latest::<IngestStatus>(ask, fetch::decode);
    let has_data = Memo::new(move |_| status.data.with(|status| status.as_ref().map(|status| status.has_data)));
    Effect::new(move |_| {
        if has_data.get() == Some(true) {
            navigator.replace("/logs");
        }
    });
    // Without an answer the Connect page says what is wrong, and goes on asking.
    move || match (has_data.get(), status.error.with(Option::is_some)) {
        (Some(false), _) | (None, true) => view! { <ConnectPage/> }.into_any(),
        _ => view! { <Skeleton label="Looking for data"/> }.into_any(),
    }
}
