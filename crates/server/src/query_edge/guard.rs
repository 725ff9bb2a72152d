//! What browsers are held to: which hosts and origins may ask, and the headers every answer carries.
//!
//! A server on loopback has no other defence against a page that points its own name at 127.0.0.1 (DNS rebinding),
//! so there a `Host` that is neither an address nor `localhost` is refused unless it is configured. Requests that
//! are no plain reads must come from the page's own origin.

use std::net::IpAddr;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};

use super::problem::Refusal;

/// Policy for pages; WebAssembly needs its own source, inline styles are how Leptos sets widths.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// Adds the headers that every answer of the query edge carries.
pub(crate) fn add_headers(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    let mut set = |name, value| drop(headers.insert(name, HeaderValue::from_static(value)));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    answer
}

/// Refuses what a page of somebody else sends through a browser. `hosts` is `None` where any host name may ask.
pub(crate) fn check(request: &Request<Body>, hosts: Option<&[String]>) -> Result<(), Refusal> {
    let host = host(request.uri(), request.headers());
    if let (Some(allowed), Some(host)) = (hosts, host)
        && !is_own_name(host_name(host), allowed)
    {
        let detail = "this server listens on loopback and answers to 'localhost' and addresses only; \
            set SPYHOP_API_ALLOWED_HOSTS to let it answer to other names";
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !is_read && !is_same_origin(request.headers(), host) {
        let detail = "requests from pages of another origin are refused";
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    uri.authority().map(|authority| authority.as_str()).or_else(|| headers.get(header::HOST)?.to_str().ok())
}

/// The host without its port; an IPv6 address without its brackets.
fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default()
}

fn is_own_name(name: &str, allowed: &[String]) -> bool {
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

/// Whether a request that changes or costs something comes from the server's own pages or from no browser at all.
fn is_same_origin(headers: &HeaderMap, host: Option<&str>) -> bool {
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    authority.is_some_and(|authority| host.is_some_and(|host| host.eq_ignore_ascii_case(authority)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(method: Method, host: &str, origin: Option<&str>, hosts: Option<&[String]>) -> bool {
        let mut request = Request::builder().method(method).uri("/api/v1/sql").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        check(&request.body(Body::empty()).expect("a request"), hosts).is_ok()
    }

    #[test]
    fn foreign_names_and_origins_are_refused() {
        let names = ["spyhop.test".to_owned()];
        let hosts = Some(&names[..]);
        assert!(allowed(Method::GET, "localhost:4319", None, hosts));
        assert!(allowed(Method::GET, "127.0.0.1:4319", None, hosts));
        assert!(allowed(Method::GET, "[::1]:4319", None, hosts));
        assert!(allowed(Method::GET, "Spyhop.Test", None, hosts));
        assert!(!allowed(Method::GET, "evil.example:4319", None, hosts));
        assert!(allowed(Method::GET, "evil.example:4319", None, None));
        assert!(allowed(Method::POST, "localhost:4319", None, hosts));
        assert!(allowed(Method::POST, "localhost:4319", Some("http://localhost:4319"), hosts));
        assert!(!allowed(Method::POST, "localhost:4319", Some("http://localhost:3000"), hosts));
        assert!(!allowed(Method::POST, "localhost:4319", Some("null"), hosts));
        assert!(!allowed(Method::POST, "evil.example", Some("https://other.example"), None));
    }
}
