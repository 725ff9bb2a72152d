//! The panel beside a list: its tabs.

use leptos::prelude::*;

/// One tab: its name in the URL, its title, whether there is anything in it.
pub struct Tab {
    /// Name in the URL; empty is the first.
    pub name: &'static str,
    /// Title.
    pub title: String,
    /// Whether it can be chosen.
    pub enabled: bool,
}

impl Tab {
    /// A tab with a count, chosen only where there is something to see.
    pub fn counted(name: &'static str, title: &str, count: usize) -> Tab {
        let title = if count == 0 { title.to_owned() } else { format!("{title} {count}") };
        Tab { name, title, enabled: count > 0 }
    }

    /// A tab that can always be chosen.
    pub fn plain(name: &'static str, title: &str) -> Tab {
        Tab { name, title: title.to_owned(), enabled: true }
    }
}

/// A row of tabs; arrow keys move between them.
pub fn tabs(tabs: Vec<Tab>, chosen: Signal<String>, choose: Callback<String>) -> impl IntoView {
    let names: Vec<&'static str> = tabs.iter().filter(|tab| tab.enabled).map(|tab| tab.name).collect();
    let on_keydown = move |event: leptos::ev::KeyboardEvent| {
        let step: isize = match event.key().as_str() {
            "ArrowRight" => 1,
            "ArrowLeft" => -1,
            _ => return,
        };
        event.prevent_default();
        let at = names.iter().position(|name| *name == chosen.get_untracked()).unwrap_or(0) as isize;
        let next = (at + step).rem_euclid(names.len().max(1) as isize) as usize;
        if let Some(name) = names.get(next) {
            choose.run((*name).to_owned());
            focus_tab(name);
        }
    };
    let buttons = tabs.into_iter().map(|tab| {
        let is_chosen = move || chosen.with(|chosen| chosen == tab.name);
        view! {
            <button type="button" role="tab" class="tab" id=tab_id(tab.name) disabled=!tab.enabled
                aria-selected=move || is_chosen().to_string()
                tabindex=move || if is_chosen() { "0" } else { "-1" }
                on:click=move |_| choose.run(tab.name.to_owned())>{tab.title}</button>
        }
    });
    view! { <div class="tabs" role="tablist" on:keydown=on_keydown>{buttons.collect_view()}</div> }
}

fn tab_id(name: &str) -> String {
    format!("tab-{}", if name.is_empty() { "first" } else { name })
}

fn focus_tab(name: &str) {
    use wasm_bindgen::JsCast;
    let element = document().get_element_by_id(&tab_id(name));
    if let Some(element) = element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = element.focus();
    }
}
