//! What a request says about its body: media type and content coding.

use http::{HeaderMap, HeaderValue, header};
use otlp::Encoding;

/// Codings of a request body that are understood, as `Accept-Encoding` and `grpc-accept-encoding` list them.
pub(super) const CODINGS: &str = "gzip, zstd, deflate, snappy, identity";

/// The media type of a request and the form of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Media {
    pub(super) encoding: Encoding,
    /// Content type of the answer: the request's, without parameters.
    pub(super) content_type: &'static str,
}

/// The form of errors where the request does not say how it is encoded.
pub(super) const JSON: Media = Media { encoding: Encoding::Json, content_type: "application/json" };
const PROTOBUF: Media = Media { encoding: Encoding::Protobuf, content_type: "application/x-protobuf" };
const PROTOBUF_REGISTERED: Media = Media { encoding: Encoding::Protobuf, content_type: "application/protobuf" };

/// The OTLP encoding a request names; letter case and parameters do not matter.
pub(super) fn media(headers: &HeaderMap) -> Option<Media> {
    let essence = essence(headers.get(header::CONTENT_TYPE)?)?;
    [JSON, PROTOBUF, PROTOBUF_REGISTERED].into_iter().find(|media| essence.eq_ignore_ascii_case(media.content_type))
}

/// Whether the request is a gRPC call, of whatever message format; gRPC-Web is not.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    grpc_format(headers).is_some()
}

/// The message format of a gRPC call: empty, or what follows the `+`.
pub(super) fn grpc_format(headers: &HeaderMap) -> Option<&str> {
    let essence = essence(headers.get(header::CONTENT_TYPE)?)?;
    let (head, rest) = essence.split_at_checked("application/grpc".len())?;
    if !head.eq_ignore_ascii_case("application/grpc") {
        return None;
    }
    if rest.is_empty() { Some("") } else { rest.strip_prefix('+') }
}

fn essence(value: &HeaderValue) -> Option<&str> {
    Some(value.to_str().ok()?.split(';').next().unwrap_or_default().trim())
}

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is.
    Identity,
    /// By the coding of this name, as `ingest::decompress` knows it.
    Named(&'static str),
}

/// The coding of a header value (`content-encoding`, `grpc-encoding`); `Err` holds the name of one that is unknown.
pub(super) fn coding(value: Option<&HeaderValue>) -> Result<Coding, String> {
    let Some(value) = value else { return Ok(Coding::Identity) };
    let name = String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase();
    match name.as_str() {
        "" | "identity" | "none" => Ok(Coding::Identity),
        "gzip" | "x-gzip" => Ok(Coding::Named("gzip")),
        "zstd" => Ok(Coding::Named("zstd")),
        "deflate" | "zlib" => Ok(Coding::Named("deflate")),
        "snappy" | "x-snappy-framed" => Ok(Coding::Named("snappy")),
        _ => Err(name.chars().filter(|c| !c.is_control()).take(40).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_str(content_type).expect("a header value"))])
    }

    #[test]
    fn media_types() {
        let check = |text: &str, expect: Option<Media>| assert_eq!(media(&headers(text)), expect, "{text}");
        check("application/json", Some(JSON));
        check("application/json; charset=utf-8", Some(JSON));
        check("APPLICATION/JSON", Some(JSON));
        check("application/x-protobuf", Some(PROTOBUF));
        check("application/protobuf", Some(PROTOBUF_REGISTERED));
        check("text/plain", None);
        check("application/grpc", None);
        assert_eq!(media(&HeaderMap::new()), None);
    }

    #[test]
    fn grpc_content_types() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(grpc_format(&headers(text)), expect, "{text}");
        check("application/grpc", Some(""));
        check("application/grpc+proto", Some("proto"));
        check("Application/GRPC+json", Some("json"));
        check("application/grpc;x=y", Some(""));
        check("application/grpc-web", None);
        check("application/grp", None);
        check("application/json", None);
    }

    #[test]
    fn codings() {
        let check = |text: &'static str, expect: Result<Coding, &str>| {
            let value = HeaderValue::from_static(text);
            assert_eq!(coding(Some(&value)), expect.map_err(str::to_owned), "{text}");
        };
        check("gzip", Ok(Coding::Named("gzip")));
        check("GZIP", Ok(Coding::Named("gzip")));
        check("x-gzip", Ok(Coding::Named("gzip")));
        check("identity", Ok(Coding::Identity));
        check("zstd", Ok(Coding::Named("zstd")));
        check("deflate", Ok(Coding::Named("deflate")));
        check("snappy", Ok(Coding::Named("snappy")));
        check("br", Err("br"));
        check("gzip, gzip", Err("gzip, gzip"));
        assert_eq!(coding(None), Ok(Coding::Identity));
    }
}
