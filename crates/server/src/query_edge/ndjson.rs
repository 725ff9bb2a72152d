//! A SQL answer as newline-delimited JSON: an object a row, written as the client reads.
//!
//! What the JSON form says beside the rows stands in headers: `spyhop-truncated` and `spyhop-complete`.

use api::SqlAnswer;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, header};

const MEDIA_TYPE: &str = "application/x-ndjson";
const TRUNCATED: HeaderName = HeaderName::from_static("spyhop-truncated");
const COMPLETE: HeaderName = HeaderName::from_static("spyhop-complete");
/// Rows are gathered into chunks of about this size.
const CHUNK_BYTES: usize = 64 * 1024;

pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(MEDIA_TYPE)))
}

pub(super) fn response(answer: SqlAnswer) -> Response {
    let flag = |value: bool| HeaderValue::from_static(if value { "true" } else { "false" });
    let (truncated, complete) = (flag(answer.truncated), flag(answer.completeness.complete));
    let chunks = Chunks { keys: keys(&answer), rows: answer.rows.into_iter() };
    let mut response = Response::new(Body::from_stream(stream::iter(chunks.map(Ok::<_, std::convert::Infallible>))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(TRUNCATED, truncated);
    headers.insert(COMPLETE, complete);
    response
}

/// The columns' names as JSON texts; a name that occurs again gets a number, since an object's keys are unique.
fn keys(answer: &SqlAnswer) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(answer.columns.len());
    for column in &answer.columns {
        let mut name = column.name.clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{}_{number}", column.name);
            number += 1;
        }
        names.push(name);
    }
    names.iter().map(|name| serde_json::Value::from(name.as_str()).to_string()).collect()
}

struct Chunks {
    keys: Vec<String>,
    rows: std::vec::IntoIter<Vec<serde_json::Value>>,
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut text = String::new();
        while text.len() < CHUNK_BYTES {
            let Some(row) = self.rows.next() else { break };
            text.push('{');
            for (at, (key, value)) in self.keys.iter().zip(&row).enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(key);
                text.push(':');
                text.push_str(&value.to_string());
            }
            text.push_str("}\n");
        }
        (!text.is_empty()).then(|| text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Column;
    use serde_json::json;

    #[tokio::test]
    async fn an_object_a_row() {
        let column = |name: &str| Column { name: name.to_owned(), kind: "Utf8".to_owned() };
        let answer = SqlAnswer {
            columns: vec![column("a"), column("a"), column("b\"c")],
            rows: vec![
                vec![json!(1), json!("x\n"), json!(null)],
                vec![json!(2), json!(9_007_199_254_740_993_i64), json!([])],
            ],
            truncated: true,
            ..SqlAnswer::default()
        };
        let response = response(answer);
        assert_eq!(response.headers()[TRUNCATED], "true");
        assert_eq!(response.headers()[COMPLETE], "true");
        let body = axum::body::to_bytes(response.into_body(), 1000).await.expect("a small body");
        let expect = "{\"a\":1,\"a_2\":\"x\\n\",\"b\\\"c\":null}\n{\"a\":2,\"a_2\":9007199254740993,\"b\\\"c\":[]}\n";
        assert_eq!(std::str::from_utf8(&body), Ok(expect));
    }

    #[test]
    fn accept_decides() {
        let check = |text: &'static str, expect: bool| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(text))]);
            assert_eq!(is_wanted(&headers), expect, "{text}");
        };
        check("application/x-ndjson", true);
        check("text/html, Application/X-NDJSON;q=0.9", true);
        check("application/json", false);
        check("*/*", false);
    }
}
