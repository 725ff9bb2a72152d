//! What the pages of one tab share: theme, zone, the range last looked at, service colours, and what Back needs.

use std::cell::RefCell;
use std::collections::HashMap;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use ui_core::colour::ServiceColours;
use ui_core::range::{RangeText, Window};

const THEME_KEY: &str = "spyhop.theme";
const ZONE_KEY: &str = "spyhop.zone";
const HISTOGRAM_KEY: &str = "spyhop.histogram";
const COLOURS_KEY: &str = "spyhop.colours";
/// Resolved windows kept for Back.
const WINDOWS_MAX: usize = 64;

thread_local! {
    /// The address the browser's Back or Forward led to, until a page has taken notice.
    static RESTORED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes when Back or Forward changes the address. Must run before the router listens for the same.
pub fn watch_history() {
    window_event_listener_untyped("popstate", |_| RESTORED.set(Some(address())));
}

fn address() -> String {
    window().location().href().unwrap_or_default()
}

/// Whether the present address was reached by Back or Forward; true once per step.
pub fn take_restored() -> bool {
    RESTORED.with_borrow_mut(|restored| restored.take_if(|to| *to == address()).is_some())
}

/// Shared state; a handle, cheap to copy.
#[derive(Clone, Copy)]
pub struct Session {
    /// Whether the theme is light.
    pub is_light: RwSignal<bool>,
    /// Whether times are shown in UTC instead of the browser's zone.
    pub is_utc: RwSignal<bool>,
    /// Whether the histogram is shown.
    pub shows_histogram: RwSignal<bool>,
    /// Grows when the person asks for fresh data.
    pub reloads: RwSignal<u32>,
    /// Range of the page last looked at, for links to the others.
    pub range: RwSignal<RangeText>,
    /// The trace list last looked at, to lead back to.
    pub traces_url: RwSignal<String>,
    /// Whether the sheet of shortcuts is open.
    pub shows_help: RwSignal<bool>,
    /// Title of the page.
    pub title: RwSignal<String>,
    /// Requests under way.
    pub busy: RwSignal<i32>,
    colours: StoredValue<ServiceColours>,
    windows: StoredValue<HashMap<String, Window>>,
    scrolls: StoredValue<HashMap<String, f64>>,
}

impl Session {
    /// Reads preferences and begins.
    pub fn start() -> Session {
        let session = Session {
            is_light: RwSignal::new(read(THEME_KEY).as_deref() == Some("light")),
            is_utc: RwSignal::new(read(ZONE_KEY).as_deref() == Some("utc")),
            shows_histogram: RwSignal::new(read(HISTOGRAM_KEY).as_deref() != Some("hidden")),
            reloads: RwSignal::new(0),
            range: RwSignal::new(RangeText::default()),
            traces_url: RwSignal::new("/traces".to_owned()),
            shows_help: RwSignal::new(false),
            title: RwSignal::new("Spyhop".to_owned()),
            busy: RwSignal::new(0),
            colours: StoredValue::new(
                read(COLOURS_KEY).map_or_else(ServiceColours::default, |text| ServiceColours::parse(&text)),
            ),
            windows: StoredValue::new(HashMap::new()),
            scrolls: StoredValue::new(HashMap::new()),
        };
        Effect::new(move |_| {
            let theme = if session.is_light.get() { "light" } else { "dark" };
            if let Some(root) = document().document_element() {
                let _ = root.set_attribute("data-theme", theme);
            }
        });
        Effect::new(move |_| document().set_title(&format!("{} – Spyhop", session.title.get())));
        session
    }

    /// The tab's session.
    pub fn get() -> Session {
        expect_context()
    }

    /// Dark to light and back; kept for the next visit.
    pub fn toggle_theme(self) {
        self.is_light.update(|light| *light = !*light);
        write(THEME_KEY, if self.is_light.get_untracked() { "light" } else { "dark" });
    }

    /// The browser's zone to UTC and back; kept for the next visit.
    pub fn toggle_zone(self) {
        self.is_utc.update(|utc| *utc = !*utc);
        write(ZONE_KEY, if self.is_utc.get_untracked() { "utc" } else { "browser" });
    }

    /// Shows or hides the histogram; kept for the next visit.
    pub fn toggle_histogram(self) {
        self.shows_histogram.update(|shown| *shown = !*shown);
        write(HISTOGRAM_KEY, if self.shows_histogram.get_untracked() { "shown" } else { "hidden" });
    }

    /// How far east of UTC times are shown, in minutes; depends on the time where the zone has summer time.
    pub fn offset_minutes(self, time: i64) -> i32 {
        if self.is_utc.get() { 0 } else { browser_offset_minutes(time) }
    }

    /// The palette slot of a service.
    pub fn slot(self, service: &str) -> u8 {
        self.colours.try_update_value(|colours| keeping(colours, |colours| colours.slot(service))).unwrap_or(0)
    }

    /// Gives slots to all of these together, so that their order of appearance does not matter.
    pub fn assign_slots<'a>(self, services: impl IntoIterator<Item = &'a str>) {
        self.colours.update_value(|colours| keeping(colours, |colours| colours.assign(services)));
    }

    /// How far the list of a run was scrolled when it was left.
    pub fn scroll(self, run: &str) -> f64 {
        self.scrolls.with_value(|scrolls| scrolls.get(run).copied().unwrap_or(0.0))
    }

    /// Keeps how far a run's list is scrolled, for Back.
    pub fn keep_scroll(self, run: String, top: f64) {
        self.scrolls.try_update_value(|scrolls| {
            if scrolls.len() >= WINDOWS_MAX {
                scrolls.clear();
            }
            scrolls.insert(run, top);
        });
    }

    /// The window of a run: the one it had before where Back leads to it, else resolved now.
    pub fn window(self, run: &str, range: &RangeText, restored: bool) -> Window {
        let known = self.windows.with_value(|windows| windows.get(run).copied());
        if let (true, Some(window)) = (restored, known) {
            return window;
        }
        let window = range.resolve_or_default(now());
        self.windows.update_value(|windows| {
            if windows.len() >= WINDOWS_MAX {
                windows.clear();
            }
            windows.insert(run.to_owned(), window);
        });
        window
    }
}

/// Keeps the colours for later visits where services have come to them: a service that has a colour on one page has
/// the same one on whatever page is opened next.
fn keeping<T>(colours: &mut ServiceColours, change: impl FnOnce(&mut ServiceColours) -> T) -> T {
    let before = colours.len();
    let result = change(colours);
    if colours.len() != before {
        write(COLOURS_KEY, &colours.to_text());
    }
    result
}

/// This moment in Unix nanoseconds.
pub fn now() -> i64 {
    js_sys::Date::now() as i64 * 1_000_000
}

/// Minutes the browser's zone is east of UTC at a time.
pub fn browser_offset_minutes(time: i64) -> i32 {
    let date = js_sys::Date::new(&(time as f64 / 1e6).into());
    let offset = date.get_timezone_offset();
    if offset.is_finite() { -(offset as i32) } else { 0 }
}

/// Goes to an address, in place of the present entry of the history or not.
type Go = Box<dyn Fn(&str, bool)>;

/// Changes the address; a handle, cheap to copy.
#[derive(Clone, Copy)]
pub struct Navigator(StoredValue<Go, LocalStorage>);

impl Navigator {
    /// Inside the router only.
    pub fn get() -> Navigator {
        let navigate = leptos_router::hooks::use_navigate();
        let go = move |url: &str, replace: bool| {
            navigate(url, NavigateOptions { resolve: false, replace, scroll: false, ..Default::default() });
        };
        Navigator(StoredValue::new_local(Box::new(go)))
    }

    /// A new entry of the history.
    pub fn push(self, url: &str) {
        self.go(url, false);
    }

    /// In place of the present entry.
    pub fn replace(self, url: &str) {
        self.go(url, true);
    }

    /// A new entry of the history, or in place of the present one.
    pub fn go(self, url: &str, replace: bool) {
        let _ = self.0.try_with_value(|go| go(url, replace));
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

fn read(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

fn write(key: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(key, value);
    }
}
