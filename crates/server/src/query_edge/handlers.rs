//! Handlers of the native API: parameters in, one question to `query`, JSON out.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use api::{IngestStatus, SqlRequest, UnixNano, paths};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use model::TraceId;
use query::{Direction, IngestSearch, LogHistogram, LogSearch, TraceForm, TraceSearch};
use serde::Serialize;

use super::parameters::Parameters;
use super::problem::Refusal;
use super::{Edge, TRACE, known_parameters, ndjson};
use crate::status;

const LOGS_DEFAULT: usize = 100;
const LOGS_MAX: usize = 5_000;
const TRACES_DEFAULT: usize = 50;
const TRACES_MAX: usize = 1000;
/// Largest number of spans that an answer may be brief above.
const BRIEF_ABOVE_MAX: usize = 1_000_000;
const STEPS_DEFAULT: usize = 60;
pub(super) const STEPS_MAX: usize = 1000;
/// Most bytes of the JSON that carries a SQL text; the text's own bound is `query`'s.
const SQL_BODY_BYTES_MAX: usize = 256 * 1024;

pub(super) type Answer = Result<Response, Refusal>;
pub(super) type SharedEdge = State<Arc<Edge>>;

pub(super) fn now_unix_nano() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

pub(super) fn parameters(uri: &Uri, path: &str) -> Result<Parameters, Refusal> {
    Parameters::parse(uri, known_parameters(path), now_unix_nano())
}

pub(super) fn json(answer: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(answer).map_err(|error| {
        tracing::error!(%error, "an answer is not JSON");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written as JSON")
    })?;
    Ok(json_body(body))
}

fn json_body(body: Vec<u8>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) async fn trace(State(edge): SharedEdge, Path(id): Path<String>, uri: Uri) -> Answer {
    let parameters = parameters(&uri, TRACE)?;
    let form = TraceForm {
        is_shared: parameters.flag("shared")?,
        brief_above: parameters.optional_count("brief_above", BRIEF_ABOVE_MAX)?,
    };
    let id: TraceId =
        id.parse().map_err(|error| Refusal::bad_request(format!("'{}' is no trace id: {error}", cut(&id))))?;
    match edge.query.trace_json(&edge.settings.tenant, id, form).await? {
        Some(answer) => Ok(json_body(answer)),
        None => Err(Refusal::not_found(format!("nothing is known of trace {id}; it may not have arrived yet"))),
    }
}

pub(super) async fn traces(State(edge): SharedEdge, uri: Uri) -> Answer {
    let parameters = parameters(&uri, paths::TRACES)?;
    let search = TraceSearch {
        query: parameters.text("query").unwrap_or_default(),
        range: parameters.range()?,
        limit: parameters.count("limit", TRACES_DEFAULT, TRACES_MAX)?,
        cursor: parameters.text("cursor"),
        duration_min: parameters.duration("duration_min")?,
        duration_max: parameters.duration("duration_max")?,
        service: parameters.text("service"),
        operation: parameters.text("operation"),
        errors_only: parameters.flag("errors_only")?,
    };
    json(&edge.query.search_traces(&edge.settings.tenant, search).await?)
}

pub(super) async fn logs(State(edge): SharedEdge, uri: Uri) -> Answer {
    let parameters = parameters(&uri, paths::LOGS)?;
    let search = LogSearch {
        query: parameters.text("query").unwrap_or_default(),
        range: parameters.range()?,
        limit: parameters.count("limit", LOGS_DEFAULT, LOGS_MAX)?,
        cursor: parameters.text("cursor"),
        direction: parameters
            .choice("direction", &[("backward", Direction::Backward), ("forward", Direction::Forward)])?,
    };
    json(&edge.query.search_logs(&edge.settings.tenant, search).await?)
}

pub(super) async fn histogram(State(edge): SharedEdge, uri: Uri) -> Answer {
    let parameters = parameters(&uri, paths::LOGS_HISTOGRAM)?;
    let histogram = LogHistogram {
        query: parameters.text("query").unwrap_or_default(),
        range: parameters.range()?,
        steps: parameters.count("steps", STEPS_DEFAULT, STEPS_MAX)?,
    };
    json(&edge.query.log_histogram(&edge.settings.tenant, histogram).await?)
}

pub(super) async fn sql(State(edge): SharedEdge, request: Request) -> Answer {
    parameters(request.uri(), paths::SQL)?;
    let (parts, body) = request.into_parts();
    if !is_json(&parts.headers) {
        let detail = "send JSON: Content-Type: application/json, body {\"query\": \"select …\"}";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let body = axum::body::to_bytes(body, SQL_BODY_BYTES_MAX).await.map_err(|_| {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is over {SQL_BODY_BYTES_MAX} bytes"))
    })?;
    let question: SqlRequest = serde_json::from_slice(&body)
        .map_err(|error| Refusal::bad_request(format!("the body is not {{\"query\": \"select …\"}}: {error}")))?;
    let answer = edge.query.sql(&edge.settings.tenant, question).await?;
    if ndjson::is_wanted(&parts.headers) { Ok(ndjson::response(answer)) } else { json(&answer) }
}

pub(super) async fn ingest(State(edge): SharedEdge, uri: Uri, headers: HeaderMap) -> Answer {
    let parameters = parameters(&uri, paths::INGEST)?;
    let search = IngestSearch {
        range: parameters.range()?,
        service: parameters.text("service"),
        steps: parameters.count("steps", STEPS_DEFAULT, STEPS_MAX)?,
    };
    let is_status_alone = parameters.flag("status_only")?;
    let status = ingest_status(&edge, &headers).await;
    if is_status_alone {
        return json(&status);
    }
    let mut answer = edge.query.ingest_ledger(&edge.settings.tenant, search).await?.with_status(status);
    for reason in answer.services.iter_mut().flat_map(|service| &mut service.reasons) {
        let known = otlp::RejectReason::named(&reason.reason);
        reason.explanation = known.map(|known| known.message().to_owned()).unwrap_or_default();
    }
    json(&answer)
}

async fn ingest_status(edge: &Edge, headers: &HeaderMap) -> IngestStatus {
    let status = status::read(&edge.settings.status_folder, "ingest").unwrap_or_default();
    let has_data = match edge.query.has_data(&edge.settings.tenant).await {
        Ok(has_data) => has_data,
        Err(error) => {
            tracing::warn!(?error, "cannot tell whether there is data");
            status.signals.values().any(|counts| counts.stored > 0)
        }
    };
    IngestStatus {
        signals: status.signals,
        started_unix_nano: UnixNano(status.started_unix_nano),
        refused_requests: status.refused_requests,
        refusals: status.refusals,
        digest_window: status.digest_window,
        otlp_grpc_address: seen_from(&edge.settings.otlp_grpc_address, headers),
        otlp_http_address: seen_from(&edge.settings.otlp_http_address, headers),
        has_data,
    }
}

/// An address to send to, for whoever asked: where the server listens on every address, the one it was asked at.
fn seen_from(address: &str, headers: &HeaderMap) -> String {
    let Some((host, port)) = address.rsplit_once(':') else { return address.to_owned() };
    if !matches!(host, "0.0.0.0" | "[::]" | "*") {
        return address.to_owned();
    }
    let asked = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let end = asked.rfind(':').filter(|colon| !asked[*colon..].contains(']')).unwrap_or(asked.len());
    format!("{}:{port}", &asked[..end])
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

pub(super) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_as_the_asker_reaches_them() {
        let check = |address: &str, host: &'static str, expect: &str| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            assert_eq!(seen_from(address, &headers), expect);
        };
        check("127.0.0.1:4317", "spyhop.example:4319", "127.0.0.1:4317");
        check("0.0.0.0:4317", "spyhop.example:4319", "spyhop.example:4317");
        check("[::]:4317", "spyhop.example", "spyhop.example:4317");
        check("0.0.0.0:4317", "[::1]:4319", "[::1]:4317");
        check("0.0.0.0:4317", "[::1]", "[::1]:4317");
    }
}
