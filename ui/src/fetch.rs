//! Requests to the API, with errors a person can act on.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use api::Problem;
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Request, RequestInit, Response};

/// Answers kept for Back and for what was asked ahead.
const KEPT_MAX: usize = 16;
/// Bytes of all kept answers.
const KEPT_BYTES_MAX: usize = 48 << 20;

thread_local! {
    static KEPT: RefCell<VecDeque<Kept>> = const { RefCell::new(VecDeque::new()) };
}

struct Kept {
    url: String,
    bytes: Arc<Vec<u8>>,
    /// When it was kept, in milliseconds since the epoch.
    time: f64,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ApiError {
    /// HTTP status; 0 where the server was not reached, 1 where the answer was not understood.
    pub status: u16,
    /// What was wrong and what to do.
    pub detail: String,
    /// Byte offset in the query, where that was wrong.
    pub position: Option<usize>,
}

impl ApiError {
    /// The server was not reached.
    fn unreachable() -> ApiError {
        ApiError {
            detail: "Spyhop does not answer. Is it running, and is the network up?".to_owned(),
            ..Default::default()
        }
    }

    /// The answer is not what this page understands.
    pub fn unreadable(reason: &str) -> ApiError {
        let detail =
            format!("The answer could not be read ({reason}). Reload the page: it may be older than the server.");
        ApiError { status: 1, detail, position: None }
    }

    fn of(status: u16, body: &[u8], retry_after: Option<String>) -> ApiError {
        let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        let detail = match (problem.detail.is_empty(), problem.title.is_empty()) {
            (false, _) => problem.detail,
            (true, false) => problem.title,
            _ => format!("The server answered with status {status}."),
        };
        let detail = match retry_after {
            Some(seconds) => format!("{detail} (It asks to wait {seconds} s.)"),
            None => detail,
        };
        ApiError { status, detail, position: problem.position }
    }
}

/// Reads an answer of the API.
pub fn decode<T: serde::de::DeserializeOwned>(bytes: Arc<Vec<u8>>) -> Result<T, ApiError> {
    serde_json::from_slice(&bytes).map_err(|error| ApiError::unreadable(&error.to_string()))
}

/// The body of an answer with status 200.
pub async fn fetch_bytes(url: &str, signal: Option<&AbortSignal>) -> Result<Arc<Vec<u8>>, ApiError> {
    send(url, None, signal).await
}

/// As [`fetch_bytes`]; with a body of JSON, which is posted.
pub async fn send(url: &str, body: Option<&str>, signal: Option<&AbortSignal>) -> Result<Arc<Vec<u8>>, ApiError> {
    let init = RequestInit::new();
    init.set_signal(signal);
    if let Some(body) = body {
        init.set_method("POST");
        init.set_body(&body.into());
    }
    let request = Request::new_with_str_and_init(url, &init).map_err(|_| ApiError::unreachable())?;
    let _ = request.headers().set("accept", "application/json");
    if body.is_some() {
        let _ = request.headers().set("content-type", "application/json");
    }
    let response: Response = JsFuture::from(window().fetch_with_request(&request))
        .await
        .and_then(JsCast::dyn_into)
        .map_err(|_: JsValue| ApiError::unreachable())?;
    let buffer = response.array_buffer().map_err(|_| ApiError::unreachable())?;
    let buffer = JsFuture::from(buffer).await.map_err(|_| ApiError::unreachable())?;
    let bytes = js_sys::Uint8Array::new(&buffer).to_vec();
    match response.ok() {
        true => Ok(Arc::new(bytes)),
        false => Err(ApiError::of(response.status(), &bytes, response.headers().get("retry-after").ok().flatten())),
    }
}

/// Keeps an answer for [`kept`].
pub fn keep(url: &str, bytes: &Arc<Vec<u8>>) {
    KEPT.with_borrow_mut(|kept| {
        kept.retain(|older| older.url != url);
        kept.push_front(Kept { url: url.to_owned(), bytes: bytes.clone(), time: js_sys::Date::now() });
        let mut total = 0;
        kept.retain(|answer| {
            total += answer.bytes.len();
            total <= KEPT_BYTES_MAX
        });
        kept.truncate(KEPT_MAX);
    });
}

/// An answer to the same question, at most so many milliseconds old.
pub fn kept(url: &str, age_max: f64) -> Option<Arc<Vec<u8>>> {
    let oldest = js_sys::Date::now() - age_max;
    KEPT.with_borrow(|kept| {
        kept.iter().find(|answer| answer.url == url && answer.time >= oldest).map(|answer| answer.bytes.clone())
    })
}
