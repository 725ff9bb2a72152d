//! What stands beside the title of the pages about services: table or map, and the way back to them.

use leptos::prelude::*;

use super::{Place, page_url};
use crate::parts::icons::{self, icon};
use crate::session::Session;

/// The switch, or the way back from one service.
#[component]
pub fn ServicesSwitch(place: Memo<Place>) -> impl IntoView {
    let session = Session::get();
    let link = move |path: &'static str, title: &'static str, here: Place| {
        let on = move || place.get() == here;
        view! { <a class="button" class:on=on href=move || page_url(path, session)
        aria-current=move || on().then_some("page")>{title}</a> }
    };
    move || match place.get() {
        Place::Service => view! {
            <a class="button quiet" href=move || page_url("/services", session)>{icon(icons::LEFT)}"Services"</a>
        }
        .into_any(),
        _ => view! {
            <nav class="line" aria-label="Table or map">
                {link("/services", "Table", Place::Services)}{link("/map", "Map", Place::Map)}
            </nav>
        }
        .into_any(),
    }
}
