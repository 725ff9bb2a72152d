//! C: media types, content codings, sizes.

use std::time::Instant;

use testkit::raw::request;
use testkit::{Server, ServerSettings, gzip, raw};

use super::rows::{Body, Expect, Table, field, log_json, log_protobuf};
use crate::TestResult;

const MIB: usize = 1024 * 1024;

/// A name of a content coding, and what makes it.
type Coding = (&'static str, fn(&[u8]) -> Vec<u8>);

fn typed(media: &str) -> [(&str, &str); 1] {
    [("Content-Type", media)]
}

#[tokio::test]
async fn media_types() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("C1-C4");
    for media in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/json;x=y"] {
        table.row(&format!("C1 {media}"), http, &request("POST", "/v1/logs", &typed(media), b"{}"), Expect::JSON).await;
    }
    for media in ["application/x-protobuf", "Application/X-Protobuf", "application/x-protobuf; messageType=x"] {
        let sent = request("POST", "/v1/logs", &typed(media), &log_protobuf(b"c1"));
        table.row(&format!("C1 {media}"), http, &sent, Expect::PROTOBUF).await;
    }
    let registered = Expect::new(200, Body::Empty).with(&[("content-type", "application/protobuf")]);
    let sent = request("POST", "/v1/logs", &typed("application/protobuf"), &log_protobuf(b"c2"));
    table.row("C2 the registered name is mirrored", http, &sent, registered).await;
    let unknown = Expect::new(415, Body::Status("application/json")).with(&[("content-type", "application/json")]);
    for media in ["text/plain", "application/xml", "application", "", "application/jsonx"] {
        let sent = request("POST", "/v1/logs", &typed(media), &log_json("c3"));
        table.row(&format!("C3 {media:?}"), http, &sent, unknown).await;
    }
    table.row("C3 no media type", http, &request("POST", "/v1/logs", &[], &log_json("c3")), unknown).await;
    let stored = server.client().sql_count("select count(*) from logs").await?;
    table.note("C3 stores nothing", if stored == 4 { Ok(()) } else { Err(anyhow::anyhow!("{stored} records")) });
    table.finish()
}

#[tokio::test]
async fn content_codings() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("C5-C7");
    let mut stored = 0;
    let codings: [Coding; 11] = [
        ("identity", |bytes| bytes.to_vec()),
        ("gzip", gzip),
        ("GZIP", gzip),
        ("x-gzip", gzip),
        ("zstd", testkit::coding::zstd),
        ("deflate", testkit::coding::zlib),
        ("deflate", testkit::coding::deflate),
        ("snappy", testkit::coding::snappy_block),
        ("snappy", testkit::coding::snappy_framed),
        ("x-snappy-framed", testkit::coding::snappy_framed),
        ("Zstd", testkit::coding::zstd),
    ];
    for (number, (coding, encode)) in codings.into_iter().enumerate() {
        for (media, body, expect) in [
            ("application/json", log_json(&format!("c5 {number}")), Expect::JSON),
            ("application/x-protobuf", log_protobuf(format!("c5 {number}").as_bytes()), Expect::PROTOBUF),
        ] {
            let headers = [("Content-Type", media), ("Content-Encoding", coding)];
            let sent = request("POST", "/v1/logs", &headers, &encode(&body));
            table.row(&format!("C5 {coding} ({number}) {media}"), http, &sent, expect).await;
            stored += 1;
        }
    }
    let (one, two) = (log_protobuf(b"c5 first member"), log_protobuf(b"c5 second member"));
    let members = [gzip(&one), gzip(&two)].concat();
    let headers = [("Content-Type", "application/x-protobuf"), ("Content-Encoding", "gzip")];
    table.row("C5 two gzip members", http, &request("POST", "/v1/logs", &headers, &members), Expect::PROTOBUF).await;
    stored += 2;
    for signal in ["traces", "metrics"] {
        let sent = request("POST", &format!("/v1/{signal}"), &headers, &gzip(b""));
        table.row(&format!("C5 gzip of nothing to {signal}"), http, &sent, Expect::PROTOBUF).await;
    }
    let unknown = Expect::new(415, Body::Status("gzip")).with(&[("accept-encoding", "gzip")]);
    for coding in ["br", "foo", "gzip, gzip"] {
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", coding)];
        table
            .row(&format!("C6 {coding}"), http, &request("POST", "/v1/logs", &headers, &log_json("c6")), unknown)
            .await;
    }
    let whole = gzip(&log_json("c7"));
    let broken: [(&str, &str, &[u8]); 6] = [
        ("gzip", "plain text", b"{\"resourceLogs\":[]}"),
        ("gzip", "cut by 9 bytes", &whole[..whole.len() - 9]),
        ("gzip", "of nothing at all", b""),
        ("zstd", "plain text", b"{\"resourceLogs\":[]}"),
        ("deflate", "plain text", b"{\"resourceLogs\":[]}"),
        ("snappy", "plain text", b"{\"resourceLogs\":[]}"),
    ];
    for (coding, what, body) in broken {
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", coding)];
        let sent = request("POST", "/v1/logs", &headers, body);
        table.row(&format!("C7 {coding} {what}"), http, &sent, Expect::new(400, Body::Status(""))).await;
    }
    let count = server.client().sql_count("select count(*) from logs").await?;
    table.note(
        "C5 all are stored",
        if count == stored { Ok(()) } else { Err(anyhow::anyhow!("{count}, not {stored}")) },
    );
    table.finish()
}

/// A request of exactly this many bytes: one record whose body fills it.
fn filled(bytes: usize) -> Vec<u8> {
    let mut fill = bytes.saturating_sub(64);
    loop {
        let body = log_protobuf(&vec![b'x'; fill]);
        match body.len().cmp(&bytes) {
            std::cmp::Ordering::Equal => return body,
            std::cmp::Ordering::Less => fill += bytes - body.len(),
            std::cmp::Ordering::Greater => fill -= body.len() - bytes,
        }
    }
}

#[tokio::test]
async fn sizes_and_bombs() -> TestResult {
    let server = Server::start(ServerSettings::default().with("SPYHOP_INGEST_REQUEST_BYTES_MAX", "1MiB")).await?;
    let [_, http, _] = server.ports();
    let mut table = Table::new("C8-C10");
    let too_large = Expect::new(413, Body::StatusProtobuf("1048576 bytes"));
    let protobuf = ("Content-Type", "application/x-protobuf");
    let plain = |body: &[u8]| request("POST", "/v1/logs", &[protobuf], body);
    table.row("C8 exactly the limit", http, &plain(&filled(MIB)), Expect::PROTOBUF).await;
    table.row("C8 one byte more", http, &plain(&filled(MIB + 1)), too_large).await;
    table.row("C8 ten times the limit", http, &plain(&filled(10 * MIB)), too_large).await;
    let chunked = raw::chunked(&filled(MIB + 1), 65_536);
    let sent = request("POST", "/v1/logs", &[protobuf, ("Transfer-Encoding", "chunked")], &chunked);
    table.row("C8 one byte more, in chunks", http, &sent, too_large).await;
    let zipped = |coding, body: &[u8]| request("POST", "/v1/logs", &[protobuf, ("Content-Encoding", coding)], body);
    table.row("C8 exactly the limit inflated", http, &zipped("gzip", &gzip(&filled(MIB))), Expect::PROTOBUF).await;
    table.row("C8 one byte more inflated", http, &zipped("gzip", &gzip(&filled(MIB + 1))), too_large).await;
    // The generator of a gigabyte of zeros: a megabyte of gzip.
    let bombs: [(&str, Vec<u8>); 3] = [
        ("gzip", testkit::coding::gzip_zeros(1024 * MIB)),
        ("zstd", testkit::coding::zstd_zeros(1024 * MIB)),
        // Declares 4 GiB - 1 and brings nothing.
        ("snappy", vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]),
    ];
    let before = memory_bytes(&server);
    for (coding, bomb) in &bombs {
        let begun = Instant::now();
        table.row(&format!("C8 bomb of {coding}"), http, &zipped(coding, bomb), too_large).await;
        println!("bomb of {coding}: {} bytes refused in {:?}", bomb.len(), begun.elapsed());
    }
    // Many empty parts: what is decoded is bounded like what is sent.
    let empty_resources: Vec<u8> = [0x0a, 0x00].repeat(MIB / 2);
    table.row("C9 half a million empty resources", http, &plain(&empty_resources), Expect::PROTOBUF).await;
    let records = [0x12, 0x00].repeat(MIB / 2 - 32);
    let nested = field(0x0a, &field(0x12, &records));
    table.row("C9 half a million empty records", http, &plain(&nested), Expect::new(200, Body::Any)).await;
    let grown = memory_bytes(&server).saturating_sub(before);
    println!("memory grew by {} MiB over bombs and empty parts", grown / MIB as u64);
    let bad_span = field(0x12, &field(0x0a, &[1, 2, 3]));
    let spans = field(0x0a, &field(0x12, &bad_span.repeat(100_000)));
    let sent = request("POST", "/v1/traces", &[protobuf], &spans);
    let small = match raw::exchange(http, &sent).await {
        Ok(answer) if answer.body.len() < 4096 && answer.status != 500 => Ok(()),
        Ok(answer) => Err(anyhow::anyhow!("{}: {} bytes", answer.status, answer.body.len())),
        Err(error) => Err(error),
    };
    table.note("C10 the answer to 100,000 rejections is small", small);
    table.finish()
}

/// Anonymous memory of the server's processes.
fn memory_bytes(server: &Server) -> u64 {
    server.processes().iter().map(|process| process.rss_anon_bytes).sum()
}
