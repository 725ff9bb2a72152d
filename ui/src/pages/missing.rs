//! No such page.

use leptos::prelude::*;

use crate::session::Session;

/// What an unknown address shows.
#[component]
pub fn MissingPage() -> impl IntoView {
    Session::get().title.set("No such page".to_owned());
    view! {
        <div class="state" data-testid="not-found">
            <h2>"There is no page at this address"</h2>
            <p>"It may come in a later version, or the link was cut."</p>
            <p class="line centre"><a class="button" href="/logs">"Logs"</a><a class="button"
                href="/traces">"Traces"</a><a class="button" href="/connect">"Connect"</a></p>
        </div>
    }
}
