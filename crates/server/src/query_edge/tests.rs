//! The router over an empty data folder, and the table of routes against the OpenAPI document.

use api::paths;
use axum::Router;
use axum::body::Body;
use catalog::Catalog;
use http::Request;
use query::{QueryService, QuerySettings};
use serde_json::Value;
use tower::ServiceExt;

use super::{OPENAPI_DOCUMENT, QueryEdge, ROUTES, Route, query_router};
use crate::credentials::{Credentials, Secrets};

async fn router(folder: &std::path::Path) -> Router {
    guarded_router(folder, &Secrets::default(), true).await
}

async fn guarded_router(folder: &std::path::Path, secrets: &Secrets, are_metrics_open: bool) -> Router {
    let layout = store::open_data_folder(folder).expect("a data folder");
    let catalog = Catalog::open(&layout.catalog_path()).await.expect("a catalog");
    let service = QueryService::open(QuerySettings::default(), layout.clone(), catalog).expect("a service");
    let edge = QueryEdge {
        status_folder: layout.status_folder(),
        otlp_http_address: "127.0.0.1:4318".to_owned(),
        allowed_hosts: Some(Vec::new()),
        credentials: Credentials::new(secrets),
        are_metrics_open,
        ..QueryEdge::default()
    };
    query_router(service, edge)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_as_the_table_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let router = router(folder.path()).await;
    let check = async |method: &str, target: &str, headers: &[(&str, &str)], body: &str, status: u16, part: &str| {
        let mut request = Request::builder().method(method).uri(target).header("host", "localhost:4319");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let answer = router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = answer.into_parts();
        let text = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        let text = String::from_utf8_lossy(&text);
        assert_eq!(parts.status.as_u16(), status, "{method} {target}: {text}");
        assert!(text.contains(part), "{method} {target}: {text}");
        assert_eq!(parts.headers["x-content-type-options"], "nosniff", "{method} {target}");
        let is_problem = parts.headers.get("content-type").is_some_and(|kind| kind == "application/problem+json");
        assert_eq!(is_problem, status >= 400, "{method} {target}");
        parts.headers
    };
    let json = ("content-type", "application/json");
    check("GET", "/api/v1/traces/9f3c1b7a5d2e4c08b6a1f0d4c3b2e21a", &[], "", 404, "9f3c1b7a5d2e4c08b6a1f0d4c3b2e21a")
        .await;
    check("GET", "/api/v1/traces/9f3c", &[], "", 400, "32 hex digits").await;
    check("GET", "/api/v1/traces?duration_min=1ms", &[], "", 200, "\"traces\":[]").await;
    check("GET", "/api/v1/logs?start=-15m&end=now", &[], "", 200, "\"complete\":true").await;
    check("GET", "/api/v1/logs?query=%28", &[], "", 400, "\"position\":").await;
    check("GET", "/api/v1/logs?cursor=nonsense", &[], "", 400, "cursor").await;
    check("GET", "/api/v1/logs?form=1", &[], "", 400, "valid are query").await;
    check("GET", "/api/v1/logs?limit=5001", &[], "", 400, "from 1 to 5000").await;
    check("GET", "/api/v1/logs/histogram?start=-1h&end=now&steps=10", &[], "", 200, "\"buckets\"").await;
    check("GET", "/api/v1/services", &[], "", 200, "\"services\":[]").await;
    check("GET", "/api/v1/services?query=x", &[], "", 400, "valid are start, end, steps").await;
    check("GET", "/api/v1/services?steps=0", &[], "", 400, "from 1 to 1000").await;
    check("GET", "/api/v1/services/a%2Fb%20c", &[], "", 404, "'a/b c'").await;
    check("GET", "/api/v1/services/cart/operations?limit=5", &[], "", 404, "'cart'").await;
    check("GET", "/api/v1/services/cart/operations?limit=1001", &[], "", 400, "from 1 to 1000").await;
    check("GET", "/api/v1/service-map?service=cart&start=-1h", &[], "", 200, "\"nodes\":[]").await;
    check("GET", "/api/v1/service-map?steps=1", &[], "", 400, "valid are start, end, service").await;
    check("GET", "/api/v1/metrics?query=x&start=-1h", &[], "", 200, "\"metrics\":[]").await;
    check("GET", "/api/v1/metrics?limit=5001", &[], "", 400, "from 1 to 5000").await;
    check("GET", "/api/v1/metrics/series?metric=x", &[], "", 200, "\"series\":[]").await;
    check("GET", "/api/v1/metrics/series", &[], "", 400, "'metric' is missing").await;
    check("GET", "/api/v1/metrics/series?metric=x&filter=%28", &[], "", 400, "\"position\":").await;
    check("GET", "/api/v1/metrics/range?metric=x&start=-1h&end=now", &[], "", 200, "\"lines\":[]").await;
    check("GET", "/api/v1/metrics/range?metric=x", &[], "", 200, "\"complete\":true").await;
    check("GET", "/api/v1/metrics/range?metric=x&function=mean", &[], "", 400, "none of rate, increase, sum").await;
    check("GET", "/api/v1/metrics/range?metric=x&type=counter", &[], "", 400, "none of gauge, sum, histogram").await;
    check("GET", "/api/v1/metrics/range?metric=x&quantile=1.5", &[], "", 400, "from 0 to 1").await;
    check("GET", "/api/v1/metrics/range?metric=x&step=5", &[], "", 400, "no duration").await;
    check("GET", "/api/v1/metrics/range?metric=x&start=-2h&end=now&step=1s", &[], "", 400, "at most 5000").await;
    check("GET", "/api/v1/metrics/range?metric=x&function=rate&quantile=0.5", &[], "", 400, "another function").await;
    check("GET", "/api/v1/metrics/range?metric=x&group_by=a,b&exemplars=maybe", &[], "", 400, "neither true").await;
    check("POST", "/api/v1/sql", &[json], r#"{"query":"select count(*) from logs"}"#, 200, "[[0]]").await;
    check("POST", "/api/v1/sql", &[json], r#"{"query":"drop table logs"}"#, 400, "detail").await;
    check("POST", "/api/v1/sql", &[json], "select 1", 400, "the body is not").await;
    check("POST", "/api/v1/sql", &[], r#"{"query":"select 1"}"#, 415, "application/json").await;
    check("POST", "/api/v1/sql", &[json, ("origin", "https://evil.example")], r#"{"query":"select 1"}"#, 403, "origin")
        .await;
    check("GET", "/api/v1/sql", &[], "", 405, "takes POST").await;
    let headers = check("DELETE", "/api/v1/logs", &[], "", 405, "takes GET").await;
    assert_eq!(headers["allow"], "GET,HEAD");
    check("GET", "/api/v1/ingest", &[], "", 200, "\"has_data\":false").await;
    check("GET", "/api/v1/nope", &[], "", 404, "/api/v1/logs").await;
    check("GET", "/nope", &[], "", 404, "nothing at this path").await;
    check("POST", "/v1/logs", &[json], "{}", 405, "4318").await;
    check("GET", "/", &[], "", 200, "Spyhop").await;
    check("GET", "/livez", &[], "", 200, "ok").await;
    check("GET", "/metrics", &[], "", 200, "spyhop_role_seen").await;
    for path in paths::LATER {
        check("GET", &path.replace("{name}", "cart"), &[], "", 501, "later version").await;
    }
}

fn document() -> Value {
    serde_json::from_str(OPENAPI_DOCUMENT).expect("openapi.json is JSON")
}

#[test]
fn every_route_is_documented_with_its_parameters() {
    let document = document();
    for Route { method, path, parameters } in ROUTES {
        let operation = &document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path} is not in openapi.json");
        assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{path} says what it does");
        let mut named: Vec<&str> = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolved(&document, parameter);
            if parameter["in"] == "query" {
                named.push(parameter["name"].as_str().expect("a parameter has a name"));
            }
        }
        assert_eq!(&named, parameters, "query parameters of {path}");
    }
}

#[test]
fn nothing_is_documented_that_is_not_there() {
    let document = document();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let known = ROUTES.iter().any(|route| route.path == path && operations[route.method].is_object());
        let later = paths::LATER.contains(&path.as_str());
        assert!(known != later, "{path} is documented and routed once");
        if later {
            assert!(operations["get"]["responses"]["501"].is_object(), "{path} answers 501");
        }
    }
    for path in paths::LATER {
        assert!(document["paths"][path].is_object(), "{path} is named in openapi.json");
    }
}

#[test]
fn references_resolve_and_the_version_is_ours() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut values = vec![&document];
    while let Some(value) = values.pop() {
        match value {
            Value::Object(members) => {
                if members.contains_key("$ref") {
                    assert!(!resolved(&document, value).is_null(), "{value} points nowhere");
                }
                values.extend(members.values());
            }
            Value::Array(items) => values.extend(items),
            _ => {}
        }
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => value,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_but_health_asks_for_credentials() {
    let secrets = Secrets {
        api_tokens: vec!["may-read".to_owned()],
        ingest_tokens: vec!["may-send".to_owned()],
        ..Secrets::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let router = guarded_router(folder.path(), &secrets, false).await;
    let status = async |method: &str, path: &str, token: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:4319");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).expect("a request");
        router.clone().oneshot(request).await.expect("infallible").status().as_u16()
    };
    let others = ["/", "/index.html", "/api/v1/nope", "/nope"].map(|path| ("get", path));
    let routes = ROUTES.iter().map(|route| (route.method, route.path));
    for (method, path) in routes.chain(paths::LATER.iter().map(|path| ("get", *path))).chain(others) {
        let method = method.to_ascii_uppercase();
        let path = path.replace("{trace_id}", "9f3c1b7a5d2e4c08b6a1f0d4c3b2e21a").replace("{name}", "cart");
        let found = [None, Some("nobody"), Some("may-send"), Some("may-read")];
        let mut answers = Vec::new();
        for token in found {
            answers.push(status(&method, &path, token).await);
        }
        if matches!(path.as_str(), "/livez" | "/readyz") {
            assert!(answers.iter().all(|status| !matches!(status, 401 | 403)), "{method} {path}: {answers:?}");
        } else {
            assert_eq!(answers[..3], [401, 401, 403], "{method} {path}");
            assert!(!matches!(answers[3], 401 | 403), "{method} {path}: {answers:?}");
        }
    }
}
