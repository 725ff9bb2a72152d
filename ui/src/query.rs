//! Questions that follow signals: the newest wins, the older one is aborted on the wire, its data stays until then.
//!
//! Leptos' own resources run fetches one after another, so that a quick question waits behind a slow one; hence this.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::AbortController;

use crate::fetch::{self, ApiError};
use crate::session::Session;

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was asked yet.
    Idle,
    /// The answer is awaited; older data may be shown.
    Loading,
    /// Answered, or failed.
    Done,
}

/// A question's present answer.
pub struct Query<T: Send + Sync + 'static> {
    /// The last good answer.
    pub data: RwSignal<Option<Arc<T>>>,
    /// Where the newest question stands.
    pub phase: RwSignal<Phase>,
    /// Why the newest question failed.
    pub error: RwSignal<Option<ApiError>>,
}

impl<T: Send + Sync + 'static> Clone for Query<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Query<T> {}

impl<T: Send + Sync + 'static> Query<T> {
    /// Whether nothing can be shown yet, and that may still change.
    pub fn is_first_load(self) -> bool {
        self.phase.get() != Phase::Done && self.data.with(Option::is_none)
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// URL of the API.
    pub url: String,
    /// JSON that is posted there; `None` gets.
    pub body: Option<String>,
    /// How old a kept answer may be, in milliseconds: zero for none, infinite for Back.
    pub kept_age_max: f64,
}

impl Ask {
    /// What tells its answer from others.
    fn name(&self) -> String {
        format!("{}{}", self.url, self.body.as_deref().unwrap_or_default())
    }

    /// A request that an answer of at most this age will do for.
    pub fn kept(url: String, age_max: f64) -> Ask {
        Ask { url, body: None, kept_age_max: age_max }
    }

    /// A request that must be answered afresh.
    pub fn fresh(url: String) -> Ask {
        Ask::kept(url, 0.0)
    }
}

/// Asks anew whenever `key` changes; a key of `None` asks nothing, gives up what is under way, and keeps what is there.
pub fn use_query_latest<T: Send + Sync + 'static>(
    key: impl Fn() -> Option<Ask> + 'static,
    decode: fn(Arc<Vec<u8>>) -> Result<T, ApiError>,
) -> Query<T> {
    let session = Session::get();
    let query = Query { data: RwSignal::new(None), phase: RwSignal::new(Phase::Idle), error: RwSignal::new(None) };
    let slot = StoredValue::new_local(None::<AbortController>);
    let generation = StoredValue::new(0_u64);
    let abort = move || {
        if let Some(Some(older)) = slot.try_update_value(Option::take) {
            older.abort();
        }
    };
    on_cleanup(abort);
    Effect::new(move |asked: Option<Option<Ask>>| {
        let wanted = key();
        if asked.as_ref() == Some(&wanted) {
            return wanted;
        }
        abort();
        generation.update_value(|number| *number += 1);
        let Some(ask) = wanted.clone() else {
            if query.phase.get_untracked() == Phase::Loading {
                query.phase.set(Phase::Done);
            }
            return wanted;
        };
        let mine = generation.get_value();
        let finish = move |answer: Result<T, ApiError>| {
            match answer {
                Ok(data) => {
                    query.error.set(None);
                    query.data.set(Some(Arc::new(data)));
                }
                Err(error) => query.error.set(Some(error)),
            }
            query.phase.set(Phase::Done);
        };
        let kept = (ask.kept_age_max > 0.0).then(|| fetch::kept(&ask.name(), ask.kept_age_max)).flatten();
        if let Some(bytes) = kept {
            finish(decode(bytes));
            return wanted;
        }
        let controller = AbortController::new().ok();
        let signal = controller.as_ref().map(AbortController::signal);
        slot.set_value(controller);
        query.phase.set(Phase::Loading);
        session.busy.update(|busy| *busy += 1);
        spawn_local(async move {
            let answer = fetch::send(&ask.url, ask.body.as_deref(), signal.as_ref()).await;
            session.busy.update(|busy| *busy -= 1);
            if generation.try_get_value() != Some(mine) {
                return;
            }
            finish(answer.and_then(|bytes| {
                fetch::keep(&ask.name(), &bytes);
                decode(bytes)
            }));
        });
        wanted
    });
    query
}
