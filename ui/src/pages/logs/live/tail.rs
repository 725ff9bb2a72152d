//! The stream of new records: one event source while it is wanted, opened again after it broke.
//!
//! The browser itself opens a stream again that broke off, and names the last event it saw. Where the server refuses
//! it gives up for good; then this waits, longer each time, and asks to go on from the same place. A server that
//! never let a stream begin has none, and is asked for new records every two seconds instead.

use std::cell::RefCell;
use std::rc::Rc;

use api::TailEvent;
use leptos::prelude::*;
use ui_core::live::{Backoff, Waiting};
use ui_core::requests;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{EventSource, MessageEvent};

/// How a stream fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fare {
    /// It is being opened for the first time.
    Opening,
    /// Records come as they are stored.
    Streaming,
    /// It broke; another try is under way or will be.
    Broken,
    /// The server has no stream.
    Absent,
}

/// The stream of one query; a handle, cheap to copy.
#[derive(Clone, Copy)]
pub struct Tail {
    /// How it fares.
    pub fare: RwSignal<Fare>,
    /// What came and is not shown yet.
    pub waiting: StoredValue<Waiting>,
    shared: StoredValue<Rc<RefCell<Shared>>, LocalStorage>,
}

#[derive(Default)]
struct Shared {
    connection: Option<Connection>,
    query: String,
    /// Where the next stream goes on.
    place: Option<String>,
    backoff: Backoff,
    /// Number of the connection; what belongs to an older one is not heard any more.
    generation: u64,
    was_open: bool,
}

/// An event source and what listens to it; closed when dropped.
struct Connection {
    source: EventSource,
    _listeners: [Closure<dyn FnMut(web_sys::Event)>; 3],
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.source.close();
    }
}

impl Tail {
    /// A stream that is not open yet. It ends with the calling part.
    pub fn new() -> Tail {
        let tail = Tail {
            fare: RwSignal::new(Fare::Opening),
            waiting: StoredValue::new(Waiting::default()),
            shared: StoredValue::new_local(Rc::default()),
        };
        on_cleanup(move || tail.close());
        tail
    }

    fn with<T>(self, act: impl FnOnce(&mut Shared) -> T) -> Option<T> {
        let shared = self.shared.try_with_value(Rc::clone)?;
        let mut shared = shared.try_borrow_mut().ok()?;
        Some(act(&mut shared))
    }

    /// Begins anew with a query: what waits for the one before is forgotten.
    pub fn open(self, query: &str) {
        self.close();
        self.waiting.try_set_value(Waiting::default());
        self.with(|shared| {
            shared.query = query.to_owned();
            shared.place = None;
            shared.backoff.reset();
            shared.was_open = false;
        });
        self.fare.try_set(Fare::Opening);
        self.connect();
    }

    /// Ends the stream; [`Tail::resume`] goes on where it ended.
    pub fn close(self) {
        let ended = self.with(|shared| {
            shared.generation += 1;
            shared.connection.take()
        });
        drop(ended);
    }

    /// Goes on after [`Tail::close`].
    pub fn resume(self) {
        self.close();
        self.connect();
    }

    fn connect(self) {
        let asked = self.with(|shared| {
            shared.generation += 1;
            (requests::log_tail(&shared.query, shared.place.as_deref()), shared.generation)
        });
        let Some((url, generation)) = asked else { return };
        let Ok(source) = EventSource::new(&url) else { return };
        let is_mine = move || self.with(|shared| shared.generation) == Some(generation);
        let opened = Closure::<dyn FnMut(web_sys::Event)>::new(move |_| {
            if is_mine() {
                self.with(|shared| {
                    shared.backoff.reset();
                    shared.was_open = true;
                });
                self.fare.try_set(Fare::Streaming);
            }
        });
        let came = Closure::<dyn FnMut(web_sys::Event)>::new(move |event: web_sys::Event| {
            if let (true, Some(message)) = (is_mine(), event.dyn_ref::<MessageEvent>()) {
                self.take(message);
            }
        });
        let failing = source.clone();
        let failed = Closure::<dyn FnMut(web_sys::Event)>::new(move |_| {
            if is_mine() {
                self.fail(failing.ready_state() == EventSource::CLOSED, generation);
            }
        });
        for (name, listener) in [("open", &opened), ("logs", &came), ("error", &failed)] {
            let _ = source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
        }
        let connection = Connection { source, _listeners: [opened, came, failed] };
        self.with(|shared| shared.connection = Some(connection));
    }

    fn take(self, message: &MessageEvent) {
        let place = message.last_event_id();
        self.with(|shared| shared.place = Some(place).filter(|place| !place.is_empty()));
        let text = message.data().as_string().unwrap_or_default();
        if let Ok(event) = serde_json::from_str::<TailEvent>(&text) {
            self.waiting.try_update_value(|waiting| waiting.push(event));
        }
    }

    fn fail(self, is_over: bool, generation: u64) {
        let was_open = self.with(|shared| shared.was_open).unwrap_or(false);
        self.fare.try_set(if was_open { Fare::Broken } else { Fare::Absent });
        let Some(wait) = self.with(|shared| shared.backoff.after_failure()).filter(|_| is_over) else { return };
        let again = move || {
            if self.with(|shared| shared.generation) == Some(generation) {
                self.connect();
            }
        };
        // A server without a stream may be replaced by one that has it, but not within seconds.
        let wait = if was_open { wait } else { wait.max(std::time::Duration::from_secs(30)) };
        set_timeout(again, wait);
    }
}
