//! Prometheus remote write: which version a request is, and what the answer's headers say was written.

use ::doors::remote_write::{self, Version, Written};
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{make_durable, outcome_of, receive, translate};
use crate::ingest_edge::Edge;
use crate::ingest_edge::error::EdgeError;
use crate::ingest_edge::media::{self, Coding};

const SAMPLES: HeaderName = HeaderName::from_static("x-prometheus-remote-write-samples-written");
const HISTOGRAMS: HeaderName = HeaderName::from_static("x-prometheus-remote-write-histograms-written");
const EXEMPLARS: HeaderName = HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

const MEDIA_TYPES: &str = "application/x-protobuf, alone or with proto=prometheus.WriteRequest or \
                           proto=io.prometheus.write.v2.Request";

pub(super) async fn write(edge: &Edge, parts: &Parts, body: &mut Option<Body>) -> Result<Response, EdgeError> {
    let version = version(&parts.headers).ok_or(EdgeError::OtherMediaType(MEDIA_TYPES))?;
    // Snappy is the only coding that senders have, and some forget to say so.
    let coding = match parts.headers.get(header::CONTENT_ENCODING) {
        None => Coding::Named("snappy"),
        Some(value) => media::coding(Some(value)).map_err(EdgeError::Coding)?,
    };
    let mut received = receive(edge, parts, body, coding).await?;
    let mut write =
        translate(edge, &mut received, move |body, limits| remote_write::translate(version, body, limits)).await?;
    make_durable(edge, &mut write.translation, received).await?;
    let mut answer = outcome_of(&write.translation, "records", StatusCode::NO_CONTENT);
    written(write.written, answer.headers_mut());
    Ok(answer)
}

fn written(written: Written, headers: &mut HeaderMap) {
    for (name, count) in [(SAMPLES, written.samples), (HISTOGRAMS, written.histograms), (EXEMPLARS, written.exemplars)]
    {
        headers.insert(name, HeaderValue::from(count));
    }
}

/// The version that a content type names; nothing where it is none.
fn version(headers: &HeaderMap) -> Option<Version> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mut parameters = text.split(';').map(str::trim);
    if !parameters.next()?.eq_ignore_ascii_case("application/x-protobuf") {
        return None;
    }
    let proto = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("proto").then(|| value.trim().trim_matches('"'))
    });
    match proto {
        None | Some("prometheus.WriteRequest") => Some(Version::One),
        Some("io.prometheus.write.v2.Request") => Some(Version::Two),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let check = |text: &'static str, expect: Option<Version>| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(text))]);
            assert_eq!(version(&headers), expect, "{text}");
        };
        check("application/x-protobuf", Some(Version::One));
        check("Application/X-Protobuf; proto=prometheus.WriteRequest", Some(Version::One));
        check("application/x-protobuf;proto=io.prometheus.write.v2.Request", Some(Version::Two));
        check("application/x-protobuf; charset=x; proto=\"io.prometheus.write.v2.Request\"", Some(Version::Two));
        check("application/x-protobuf;proto=io.prometheus.write.v3.Request", None);
        check("application/json", None);
        assert_eq!(version(&HeaderMap::new()), None);
    }
}
