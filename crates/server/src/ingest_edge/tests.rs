//! The edge over real sockets and a real journal: both protocols, every refusal.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use catalog::Catalog;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ingest::IngestLimits;
use journal::{Journal, JournalLimits};

use super::{Cors, IngestEdge, ingest_router, normalised};
use crate::{ServeLimits, serve};

const REQUEST_BYTES_MAX: usize = 100_000;
const INFLIGHT_BYTES_MAX: usize = 400_000;

/// The smallest log: a record whose body is "x".
const LOG: &[u8] = &[0x0a, 0x09, 0x12, 0x07, 0x12, 0x05, 0x2a, 0x03, 0x0a, 0x01, 0x78];
const LOG_JSON: &[u8] = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1795289400000000000","body":{"stringValue":"x"}}]}]}]}"#;

struct Server {
    address: SocketAddr,
    http1: Client<HttpConnector, Full<Bytes>>,
    http2: Client<HttpConnector, Full<Bytes>>,
    ingest: ingest::Ingest,
    _folder: tempfile::TempDir,
}

async fn server() -> Server {
    let folder = tempfile::tempdir().expect("a folder");
    let layout = store::open_data_folder(folder.path()).expect("a data folder");
    let catalog = Catalog::open(&layout.catalog_path()).await.expect("a catalog");
    let runtime = tokio::runtime::Handle::current();
    let (handle, journal_catalog) = (runtime.clone(), catalog.clone());
    let open = move || {
        Journal::open(
            &layout.journal_folder(),
            journal_catalog,
            handle,
            JournalLimits::default(),
            1_795_289_400_000_000_000,
        )
    };
    let (journal, _) = tokio::task::spawn_blocking(open).await.expect("no panic").expect("a journal");
    let limits = IngestLimits {
        request_bytes_max: REQUEST_BYTES_MAX,
        inflight_bytes_max: INFLIGHT_BYTES_MAX,
        admission_wait: Duration::from_millis(300),
        disk_reserve_bytes: 0,
        ..IngestLimits::default()
    };
    let (ingest, _running) =
        ingest::start(journal, catalog, folder.path().to_owned(), limits, &runtime).expect("ingest starts");
    let edge = IngestEdge {
        request_bytes_max: REQUEST_BYTES_MAX,
        body_idle_timeout: Duration::from_secs(1),
        path_prefix: "/otlp".to_owned(),
        cors: Cors { origins: vec!["https://shop.example".to_owned()], ..Cors::default() },
        ..IngestEdge::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let router = ingest_router(ingest.clone(), edge);
    tokio::spawn(serve(vec![listener], router, ServeLimits::default(), None, std::future::pending()));
    Server {
        address,
        http1: Client::builder(TokioExecutor::new()).build_http(),
        http2: Client::builder(TokioExecutor::new()).http2_only(true).build_http(),
        ingest,
        _folder: folder,
    }
}

impl Server {
    fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request")
    }

    /// Room is given back just after the answer.
    async fn expect_all_room_free(&self) {
        for _ in 0..100 {
            if self.ingest.status().inflight_bytes == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} bytes are still taken", self.ingest.status().inflight_bytes);
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (StatusCode, HeaderMap, Bytes) {
        self.send(self.request(Method::POST, path, headers, body)).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> (StatusCode, HeaderMap, Bytes) {
        let answer = self.http1.request(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        (parts.status, parts.headers, body.collect().await.expect("a body").to_bytes())
    }

    /// A unary call: status, message, and all headers and trailers.
    async fn call(&self, path: &str, headers: &[(&str, &str)], frames: &[u8]) -> (i32, Bytes, HeaderMap) {
        let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
        all.extend_from_slice(headers);
        let answer: Response<_> =
            self.http2.request(self.request(Method::POST, path, &all, frames)).await.expect("an answer");
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("a body");
        let mut headers = parts.headers;
        headers.extend(body.trailers().cloned().unwrap_or_default());
        let status = headers["grpc-status"].to_str().expect("ASCII").parse().expect("a number");
        (status, body.to_bytes(), headers)
    }
}

fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(message.len() as u32);
    frame.extend_from_slice(message);
    frame.freeze()
}

const EXPORT_LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_requests_are_answered_as_the_table_says() {
    let server = server().await;
    let long = vec![b' '; REQUEST_BYTES_MAX + 1];
    let gzip = ("content-encoding", "gzip");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, &'a str);
    let cases: &[Case<'_>] = &[
        ("/v1/logs", &[PROTOBUF], LOG, 200, ""),
        ("/v1/logs", &[("content-type", "application/protobuf")], LOG, 200, ""),
        ("/v1/logs", &[JSON], LOG_JSON, 200, "{}"),
        ("/v1/logs", &[("content-type", "APPLICATION/JSON; charset=utf-8")], LOG_JSON, 200, "{}"),
        ("//v1/logs/", &[JSON], LOG_JSON, 200, "{}"),
        ("/otlp/v1/logs", &[JSON], LOG_JSON, 200, "{}"),
        ("/v1/traces", &[PROTOBUF], b"", 200, ""),
        ("/v1/metrics", &[JSON], b"{}", 200, "{}"),
        ("/", &[JSON], LOG_JSON, 404, "/v1/logs"),
        ("/v1/profiles", &[PROTOBUF], b"", 404, "/v1/logs"),
        ("/v1/logs", &[], LOG, 415, "application/x-protobuf"),
        ("/v1/logs", &[("content-type", "text/plain")], LOG, 415, "application/x-protobuf"),
        ("/v1/logs", &[PROTOBUF, ("content-encoding", "br")], LOG, 415, "gzip, zstd"),
        ("/v1/logs", &[PROTOBUF, gzip], LOG, 400, "gzip"),
        ("/v1/logs", &[JSON], b"[]", 400, "\"code\":3"),
        ("/v1/logs", &[PROTOBUF], &[0x0a, 0x05, 0x12, 0x03, 0x12, 0x01, 0xff], 400, ""),
        ("/v1/logs", &[JSON], &long, 413, "limit of 100000 bytes"),
        ("/v1/logs", &[JSON, ("x-scope-orgid", "a")], LOG_JSON, 400, "x-scope-orgid"),
    ];
    for (path, headers, body, status, part) in cases {
        let (found, answer_headers, answer) = server.post(path, headers, body).await;
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(found.as_u16(), *status, "{path} {headers:?}: {text}");
        assert!(text.contains(part), "{path} {headers:?}: {text}");
        let sent =
            headers.iter().find(|(name, _)| *name == "content-type").map(|(_, value)| value.to_ascii_lowercase());
        let expect = match sent.as_deref() {
            Some("application/x-protobuf") => "application/x-protobuf",
            Some("application/protobuf") => "application/protobuf",
            _ => "application/json",
        };
        assert_eq!(answer_headers["content-type"], expect, "{path} {headers:?}");
        assert_eq!(answer.is_empty(), part.is_empty() && *status == 200, "{path} {headers:?}");
        assert_eq!(answer_headers.contains_key("accept-encoding"), text.contains("gzip, zstd"), "{path} {headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_health_and_browsers() {
    let server = server().await;
    for method in [Method::GET, Method::PUT, Method::HEAD] {
        let (status, headers, _) = server.send(server.request(method.clone(), "/v1/logs", &[], b"")).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(headers["allow"], "POST, OPTIONS", "{method}");
    }
    for path in ["/livez", "/readyz"] {
        let (status, ..) = server.send(server.request(Method::GET, path, &[], b"")).await;
        assert_eq!(status, 200, "{path}");
    }
    let origin = ("origin", "https://shop.example");
    let (status, headers, _) = server.send(server.request(Method::OPTIONS, "/v1/logs", &[origin], b"")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(headers["access-control-allow-methods"], "POST");
    let (status, headers, _) = server.post("/v1/logs", &[origin], LOG).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(headers["access-control-allow-origin"], origin.1);
    let (_, headers, _) = server.post("/v1/logs", &[("origin", "https://evil.example"), JSON], LOG_JSON).await;
    assert!(!headers.contains_key("access-control-allow-origin"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_answered_as_the_table_says() {
    let server = server().await;
    let snappy: Vec<u8> = [&[LOG.len() as u8, (LOG.len() as u8 - 1) << 2][..], LOG].concat();
    let mut oversize = vec![0, 0x7f, 0xff, 0xff, 0xff];
    oversize.push(0);
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Vec<u8>, i32, &'a str);
    let cases: Vec<Case<'_>> = vec![
        (EXPORT_LOGS, &[], frame(0, LOG).to_vec(), 0, ""),
        (EXPORT_LOGS, &[("content-type", "application/grpc+proto")], frame(0, LOG).to_vec(), 0, ""),
        (EXPORT_LOGS, &[], frame(0, b"").to_vec(), 0, ""),
        (EXPORT_LOGS, &[("grpc-encoding", "snappy")], frame(1, &snappy).to_vec(), 0, ""),
        (EXPORT_LOGS, &[("grpc-encoding", "gzip")], frame(0, LOG).to_vec(), 0, ""),
        (EXPORT_LOGS, &[("grpc-timeout", "10S")], frame(0, LOG).to_vec(), 0, ""),
        (EXPORT_LOGS, &[], frame(1, LOG).to_vec(), 13, "grpc-encoding"),
        (EXPORT_LOGS, &[], frame(2, LOG).to_vec(), 13, "flag"),
        (EXPORT_LOGS, &[], b"\0\0".to_vec(), 13, "before its message"),
        (EXPORT_LOGS, &[], frame(0, LOG)[..9].to_vec(), 13, "within its message"),
        (EXPORT_LOGS, &[], [frame(0, LOG), frame(0, LOG)].concat(), 13, "one message"),
        (EXPORT_LOGS, &[], frame(0, &[0x0a, 0x05, 0x12]).to_vec(), 3, "protobuf"),
        (EXPORT_LOGS, &[], oversize, 8, "limit of 100000 bytes"),
        (EXPORT_LOGS, &[("grpc-encoding", "br")], frame(1, LOG).to_vec(), 12, "br"),
        (EXPORT_LOGS, &[("content-type", "application/grpc+json")], frame(0, b"{}").to_vec(), 12, "protobuf"),
        ("/x.Y/Z", &[], frame(0, LOG).to_vec(), 12, "/x.Y/Z"),
    ];
    for (path, headers, frames, expect, part) in cases {
        let (status, body, found) = server.call(path, headers, &frames).await;
        let message = found.get("grpc-message").map(|value| value.to_str().expect("ASCII")).unwrap_or_default();
        assert_eq!(status, expect, "{path} {headers:?} {message}");
        if expect == 0 {
            assert_eq!(body, frame(0, b""), "full success is an empty message");
        } else {
            assert!(body.is_empty(), "errors are headers alone");
            assert!(message.contains(part) || part == "protobuf", "{path} {headers:?}: {message}");
            assert!(!found.contains_key("google.rpc.retryinfo-bin"), "{path} {headers:?}: not to be sent again");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_budget_there_is_a_refusal_that_clients_understand() {
    let server = server().await;
    let held = server.ingest.admit(INFLIGHT_BYTES_MAX - 10_000).await.expect("the budget is free");
    let body = [LOG_JSON, &vec![b' '; 50_000][..]].concat();
    let (status, headers, answer) = server.post("/v1/logs", &[JSON], &body).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(headers["retry-after"], "2");
    assert!(String::from_utf8_lossy(&answer).contains("\"code\":14"));
    let (status, _, headers) = server.call(EXPORT_LOGS, &[], &frame(0, &vec![0; 50_000])).await;
    assert_eq!(status, 14);
    assert_eq!(headers["google.rpc.retryinfo-bin"], "CgIIAg");
    assert!(headers.contains_key("grpc-status-details-bin"));
    let (status, _, headers) = server.call(EXPORT_LOGS, &[("grpc-timeout", "50m")], &frame(0, &vec![0; 50_000])).await;
    assert_eq!(status, 4, "the call's deadline comes before the end of the wait");
    assert!(!headers.contains_key("google.rpc.retryinfo-bin"));
    drop(held);
    assert_eq!(server.post("/v1/logs", &[JSON], &body).await.0, StatusCode::OK);
    server.expect_all_room_free().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_bodies_are_bounded_when_inflated() {
    let server = server().await;
    // Snappy blocks: a literal, then copies of it, 64 bytes of output for three of input.
    let inflating_to = |length: usize| -> Vec<u8> {
        let mut block = Vec::new();
        let mut rest = length;
        while rest >= 0x80 {
            block.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        block.push(rest as u8);
        block.extend_from_slice(&[(LOG_JSON.len() as u8 - 1) << 2 & 0xfc, b' ']);
        block.truncate(block.len() - 2);
        block.extend_from_slice(&[0, b' ']);
        let mut left = length - 1;
        while left > 0 {
            let copy = left.min(64);
            block.extend_from_slice(&[((copy as u8 - 1) << 2) | 2, 1, 0]);
            left -= copy;
        }
        block
    };
    let headers = [JSON, ("content-encoding", "snappy")];
    let check = async |length: usize, expect: u16| {
        let (status, _, answer) = server.post("/v1/logs", &headers, &inflating_to(length)).await;
        assert_eq!(status.as_u16(), expect, "{length}: {}", String::from_utf8_lossy(&answer));
    };
    // Nothing but spaces is no JSON, which is found out only where the body was inflated.
    check(REQUEST_BYTES_MAX, 400).await;
    check(REQUEST_BYTES_MAX + 1, 413).await;
    check(REQUEST_BYTES_MAX * 10, 413).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_body_is_refused_and_its_room_given_back() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = server().await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("connects");
    let head = "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("reads to the end");
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    server.expect_all_room_free().await;
}

#[test]
fn paths_are_normalised() {
    let check = |path: &str, prefix: &str, expect: &str| assert_eq!(normalised(path, prefix), expect, "{path}");
    check("/v1/logs", "", "/v1/logs");
    check("//v1/logs", "", "/v1/logs");
    check("/v1//logs/", "", "/v1/logs");
    check("/", "", "");
    check("/otlp/v1/logs", "", "/otlp/v1/logs");
    check("/otlp/v1/logs", "/otlp", "/v1/logs");
    check("/otlp/v1/logs/", "/otlp/", "/v1/logs");
    check("/v1/logs", "/otlp", "/v1/logs");
    check("/otlpx/v1/logs", "/otlp", "/otlpx/v1/logs");
}
