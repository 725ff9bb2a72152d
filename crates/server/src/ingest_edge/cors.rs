//! Cross-origin rules for browsers that send over HTTP. Off unless origins are configured; never with credentials.

use http::{HeaderMap, HeaderValue, header};

/// Which origins of browsers may send, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Origins such as `https://shop.example`; `*` allows every one.
    pub origins: Vec<String>,
    /// Request headers allowed beside the ones OTLP needs.
    pub headers: Vec<String>,
    /// Seconds a browser may remember the answer to a preflight.
    pub max_age_seconds: u32,
}

impl Default for Cors {
    fn default() -> Self {
        Cors { origins: Vec::new(), headers: Vec::new(), max_age_seconds: 7200 }
    }
}

/// Request headers that OTLP exporters in browsers send.
const HEADERS: [&str; 5] = ["content-type", "content-encoding", "authorization", "traceparent", "tracestate"];

impl Cors {
    fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
    }

    /// Adds to an answer, success or error, what lets a browser of an allowed origin read it.
    pub(super) fn apply(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        answer.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin.filter(|origin| self.allows(origin)) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
        }
    }

    /// Adds to the answer of an OPTIONS request what a preflight asks for; `methods` are those that send.
    pub(super) fn apply_preflight(&self, origin: Option<&HeaderValue>, methods: HeaderValue, answer: &mut HeaderMap) {
        self.apply(origin, answer);
        if !answer.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        let configured = self.headers.iter().map(String::as_str);
        let headers = HEADERS.into_iter().chain(configured).collect::<Vec<_>>().join(", ");
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Ok(headers) = HeaderValue::from_str(&headers) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
        }
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.max_age_seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_origins_get_headers() {
        let check = |origins: &[&str], origin: &'static str, allowed: bool| {
            let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
            let cors = Cors { origins, headers: vec!["x-token".to_owned()], ..Cors::default() };
            let mut answer = HeaderMap::new();
            let methods = HeaderValue::from_static("POST, PUT");
            cors.apply_preflight(Some(&HeaderValue::from_static(origin)), methods, &mut answer);
            assert_eq!(answer.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), allowed, "{origin}");
            assert!(!answer.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
            if allowed {
                assert_eq!(answer[header::ACCESS_CONTROL_ALLOW_ORIGIN], origin);
                assert_eq!(answer[header::ACCESS_CONTROL_ALLOW_METHODS], "POST, PUT");
                let headers = answer[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().expect("ASCII");
                assert!(headers.contains("content-encoding") && headers.contains("x-token"));
            }
        };
        check(&[], "https://shop.example", false);
        check(&["https://shop.example"], "https://shop.example", true);
        check(&["https://shop.example"], "https://shop.example.evil", false);
        check(&["*"], "http://localhost:3000", true);
    }
}
