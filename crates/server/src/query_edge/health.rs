//! `/livez`, `/readyz` and `/metrics` of the query port, from the status files of all roles.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;

use super::handlers::now_unix_nano;
use super::{Edge, metrics, ui_files};
use crate::status::{self, ROLES, RoleStatus};

/// A role that has not reported for this long is not working, whatever its last word was.
const SILENCE_NANOS_MAX: i64 = 5_000_000_000;

pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// Ready as ingest is, since that is what clients lose by; the other roles are shown beside it.
pub(super) async fn readyz(State(edge): State<Arc<Edge>>) -> Response {
    let now = now_unix_nano();
    let mut roles = serde_json::Map::new();
    let mut ready = true;
    for role in ROLES {
        let status = status::read(&edge.settings.status_folder, role);
        let verdict = verdict(status.as_ref(), now);
        // Where no ingest ever reported into this folder, it runs elsewhere and has its own /readyz.
        ready &= role != "ingest" || status.is_none() || verdict.ready;
        roles.insert(role.to_owned(), json!({ "ready": verdict.ready, "remarks": verdict.remarks }));
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": ready, "roles": roles }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

struct Verdict {
    ready: bool,
    remarks: Vec<String>,
}

fn verdict(status: Option<&RoleStatus>, now_unix_nano: i64) -> Verdict {
    let Some(status) = status else {
        return Verdict { ready: false, remarks: vec!["has not reported".to_owned()] };
    };
    let silent = now_unix_nano.saturating_sub(status.written_unix_nano);
    let mut remarks = status.remarks.clone();
    if silent > SILENCE_NANOS_MAX {
        remarks.push(format!("has not reported for {} s", silent / 1_000_000_000));
    }
    Verdict { ready: status.ready && silent <= SILENCE_NANOS_MAX, remarks }
}

/// Spyhop's own metrics for whatever scrapes them. A browser that is sent to this address is after the UI's page of
/// metrics, which has the same path: it alone asks for HTML.
pub(super) async fn metrics(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let page = wants_page(&headers).then(|| ui_files::serve(ui_files::FILES, &Method::GET, "/metrics", &headers));
    if let Some(mut page) = page.flatten() {
        page.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
        return page;
    }
    let statuses = ROLES.map(|role| (role, status::read(&edge.settings.status_folder, role)));
    let text = metrics::text(&statuses);
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (header::VARY, "accept")];
    (headers, text).into_response()
}

/// Whether HTML is asked for by name: `*/*` is what everybody else sends.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|part| part.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_browsers_get_the_page() {
        let check = |accept: &'static str, expect: bool| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_page(&headers), expect, "{accept}");
        };
        check("text/html,application/xhtml+xml,*/*;q=0.8", true);
        check("application/xml, text/html;q=0.9", true);
        check("*/*", false);
        check("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", false);
        assert!(!wants_page(&HeaderMap::new()));
    }

    #[test]
    fn silence_is_not_ready() {
        let check = |ready: bool, age_nanos: i64, expect: bool| {
            let status =
                RoleStatus { ready, written_unix_nano: 1_000_000_000_000 - age_nanos, ..RoleStatus::default() };
            assert_eq!(verdict(Some(&status), 1_000_000_000_000).ready, expect);
        };
        check(true, 1_000_000_000, true);
        check(true, 6_000_000_000, false);
        check(false, 0, false);
        assert!(!verdict(None, 0).ready);
    }
}
