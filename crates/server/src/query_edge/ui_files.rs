//! The UI's files, embedded at build time (`build.rs`).
//!
//! `index.html` is asked for anew each time (`no-cache` with an ETag); a file whose name holds a hash of its content
//! never changes (`immutable`). Deep links get `index.html` for the UI's own pages only, so that a mistyped path is
//! a 404 and not a page.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// One embedded file.
pub(crate) struct UiFile {
    /// Path without a leading slash.
    pub(crate) path: &'static str,
    /// Quoted hash of the content.
    pub(crate) etag: &'static str,
    pub(crate) plain: &'static [u8],
    pub(crate) brotli: Option<&'static [u8]>,
    pub(crate) gzip: Option<&'static [u8]>,
}

/// Every file, sorted by path; empty where the UI was not built.
pub(crate) static FILES: &[UiFile] = &include!(concat!(env!("OUT_DIR"), "/ui_files.rs"));

/// First path segments of the UI's pages.
pub(crate) const PAGES: [&str; 15] = [
    "",
    "logs",
    "traces",
    "trace",
    "services",
    "service",
    "service-map",
    "map",
    "explore",
    "metrics",
    "sql",
    "ingest",
    "connect",
    "status",
    "settings",
];

const ABSENT_PAGE: &str = r#"<!doctype html><html lang="en"><meta charset="utf-8"><title>Spyhop</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:10vh auto;padding:0 1rem;color-scheme:light dark}</style>
<h1>Spyhop is running</h1>
<p>This build has no UI inside. Build it with <code>cargo xtask build</code>, or use the API:
<a href="/api/v1/openapi.json">/api/v1/openapi.json</a> describes it.</p></html>
"#;

/// The file or page at `path`, if there is one; `path` begins with a slash.
pub(crate) fn serve(files: &[UiFile], method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    let name = path.trim_start_matches('/');
    let file = match find(files, name) {
        Some(file) => file,
        None if is_page(name) => match find(files, "index.html") {
            Some(index) => index,
            None => return Some(absent()),
        },
        None => return None,
    };
    Some(answer(file, method, headers))
}

fn find<'a>(files: &'a [UiFile], name: &str) -> Option<&'a UiFile> {
    files.binary_search_by(|file| file.path.cmp(name)).ok().map(|at| &files[at])
}

fn is_page(name: &str) -> bool {
    let mut segments = name.split('/');
    let first = segments.next().unwrap_or_default();
    PAGES.contains(&first) && segments.all(|segment| !segment.is_empty())
}

fn answer(file: &UiFile, method: &Method, headers: &HeaderMap) -> Response {
    let (body, coding) = chosen(file, headers);
    let unchanged = headers.get(header::IF_NONE_MATCH).is_some_and(|tags| has_tag(tags, file.etag));
    let empty = unchanged || method == Method::HEAD;
    let mut answer = Response::new(if empty { "".into() } else { body.into() });
    if unchanged {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let caching = if is_hashed(file.path) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let out = answer.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(file.path)));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    out.insert(header::ETAG, HeaderValue::from_static(file.etag));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(coding) = coding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    if !unchanged {
        out.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    answer
}

fn has_tag(tags: &HeaderValue, etag: &str) -> bool {
    let Ok(tags) = tags.to_str() else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn chosen(file: &UiFile, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
    match (file.brotli, file.gzip) {
        (Some(brotli), _) if accepts(headers, "br") => (brotli, Some("br")),
        (_, Some(gzip)) if accepts(headers, "gzip") => (gzip, Some("gzip")),
        _ => (file.plain, None),
    }
}

/// Whether a client accepts a coding, named as it is.
pub(crate) fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|part| {
        let mut parts = part.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        named && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// Whether a part of the file's name is eight or more hex digits, as build tools put hashes into names.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut parts = name.split(['.', '-', '_']);
    parts.any(|part| part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn absent() -> Response {
    let mut answer = Response::new(ABSENT_PAGE.into());
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    static TEST_FILES: &[UiFile] = &[
        UiFile { path: "index.html", etag: "\"1\"", plain: b"<html>", brotli: None, gzip: Some(b"zipped") },
        UiFile { path: "ui-0123456789abcdef.wasm", etag: "\"2\"", plain: b"\0asm", brotli: Some(b"br"), gzip: None },
    ];

    fn get(path: &str, headers: &[(header::HeaderName, &'static str)]) -> Option<Response> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        serve(TEST_FILES, &Method::GET, path, &HeaderMap::from_iter(headers))
    }

    #[test]
    fn pages_and_files() {
        let check = |path: &str, expect: Option<&str>| {
            let found = get(path, &[]).map(|answer| answer.headers()[header::CONTENT_TYPE].clone());
            assert_eq!(found.as_ref().map(|value| value.to_str().expect("ASCII")), expect, "{path}");
        };
        check("/", Some("text/html; charset=utf-8"));
        check("/index.html", Some("text/html; charset=utf-8"));
        check("/trace/9f3c1b7a5d2e4c08b6a1f0d4c3b2e21a", Some("text/html; charset=utf-8"));
        check("/ui-0123456789abcdef.wasm", Some("application/wasm"));
        check("/ui-0000000000000000.wasm", None);
        check("/wp-login.php", None);
        check("/logs//x", None);
    }

    #[test]
    fn caching_and_codings() {
        let index = get("/logs", &[(header::ACCEPT_ENCODING, "br;q=1, gzip")]).expect("a page");
        assert_eq!(index.headers()[header::CACHE_CONTROL], "no-cache");
        assert_eq!(index.headers()[header::CONTENT_ENCODING], "gzip");
        let wasm = get("/ui-0123456789abcdef.wasm", &[(header::ACCEPT_ENCODING, "gzip, br;q=0")]).expect("a file");
        assert_eq!(wasm.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(wasm.headers().get(header::CONTENT_ENCODING), None);
        let again = get("/", &[(header::IF_NONE_MATCH, "W/\"0\", \"1\"")]).expect("a page");
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(get("/", &[(header::IF_NONE_MATCH, "\"2\"")]).expect("a page").status(), StatusCode::OK);
    }

    #[test]
    fn an_empty_table_serves_the_note() {
        let answer = serve(&[], &Method::GET, "/", &HeaderMap::new()).expect("a page");
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(serve(&[], &Method::GET, "/x.js", &HeaderMap::new()).is_none());
    }
}
