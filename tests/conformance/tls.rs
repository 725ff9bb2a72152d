//! N2: TLS and mutual TLS on every port, and files that change under load.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testkit::pki::{Authority, Identity};
use testkit::raw::{exchange, grpc_frame, request};
use testkit::{Server, ServerSettings, Signal, TlsClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rows::{Expect, Table, log_json, log_protobuf};
use crate::TestResult;

const JSON: (&str, &str) = ("Content-Type", "application/json");

pub fn write(folder: &Path, identity: &Identity) -> Result<()> {
    fs::write(folder.join("tls.key"), &identity.key)?;
    fs::write(folder.join("tls.crt"), &identity.certificate)?;
    Ok(())
}

pub fn settings(folder: &Path) -> ServerSettings {
    ServerSettings::default()
        .with("SPYHOP_TLS_CERTIFICATE", folder.join("tls.crt").display().to_string())
        .with("SPYHOP_TLS_KEY", folder.join("tls.key").display().to_string())
        .with("SPYHOP_TLS_RELOAD_INTERVAL", "200ms")
        .with("SPYHOP_TLS_HANDSHAKE_MAX", "1s")
}

/// What a query comes to, as the API's JSON.
pub async fn sql(client: &TlsClient, server: &Server, query: &str) -> Result<String> {
    let body = serde_json::json!({ "query": query }).to_string();
    let asked = request("POST", "/api/v1/sql", &[JSON], body.as_bytes());
    Ok(client.exchange(server.ports()[2], &asked).await?.text())
}

pub fn noted(table: &mut Table, row: &str, is_right: bool, found: impl std::fmt::Debug) {
    table.note(row, if is_right { Ok(()) } else { Err(anyhow::anyhow!("{found:?}")) });
}

#[tokio::test]
async fn every_port_speaks_tls_and_nothing_else() -> TestResult {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("test")?;
    write(folder.path(), &authority.issue("server", 2090)?)?;
    let client = TlsClient::new(&authority.certificate(), None);
    let server = Server::start_tls(settings(folder.path()), &client).await?;
    let ports = server.ports();
    let [grpc, http, api] = ports;
    let mut table = Table::new("N2");
    for (number, port) in [grpc, http].into_iter().enumerate() {
        let sent = request("POST", "/v1/logs", &[JSON], &log_json(&format!("n2 {number}")));
        table.note(
            &format!("HTTP on {number}"),
            client.exchange(port, &sent).await.and_then(|answer| Expect::JSON.check(&answer)),
        );
        let old = client.clone().only_tls12().exchange(port, &sent).await.map(|answer| answer.status);
        noted(&mut table, &format!("TLS 1.2 on {number}"), matches!(old, Ok(200)), &old);
        let frame = grpc_frame(0, &log_protobuf(format!("n2 grpc {number}").as_bytes()));
        let call = client.grpc_call(port, Signal::Logs.grpc_path(), frame).await;
        let is_right = call.as_ref().is_ok_and(|answer| answer.header("grpc-status") == Some("0"));
        noted(&mut table, &format!("gRPC on {number}, by ALPN"), is_right, &call);
    }
    let page = client.exchange(api, &request("GET", "/api/v1/ingest", &[], b"")).await;
    noted(&mut table, "the API", page.as_ref().is_ok_and(|answer| answer.status == 200), &page);
    for port in ports {
        let plain = exchange(port, &request("GET", "/livez", &[], b"")).await;
        let is_right = plain.as_ref().is_ok_and(|answer| answer.status == 400 && answer.text().contains("https://"));
        noted(&mut table, "plain HTTP is told so", is_right, &plain);
        for (what, sent) in
            [("gRPC", &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..]), ("noise", &[0x80; 64]), ("silence", b"")]
        {
            let begun = Instant::now();
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.write_all(sent).await?;
            let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
            noted(
                &mut table,
                &format!("plain {what} ends cleanly"),
                matches!(ended, Ok(Ok(_))),
                (&ended, begun.elapsed()),
            );
        }
    }
    let health = server.run(&["health"]).await?;
    let said = String::from_utf8_lossy(&health.stdout).into_owned();
    noted(&mut table, "spyhop health", health.status.success() && said.contains("https://"), (&health, &said));
    let demo = server.run(&["demo", "--seconds", "1", "--endpoint", &format!("http://127.0.0.1:{http}")]).await?;
    let said = String::from_utf8_lossy(&demo.stderr).into_owned();
    noted(&mut table, "the demo says what it is told", said.contains("speaks TLS"), &said);
    let compacted = server.run(&["compact", "--now"]).await?;
    noted(&mut table, "spyhop compact", compacted.status.success(), &compacted);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let metrics = client.exchange(api, &request("GET", "/metrics", &[], b"")).await?.text();
    let expiry = r#"spyhop_tls_certificate_expiry_time_seconds{role="ingest"} 3786912000"#;
    noted(&mut table, "N7 the certificate's end is a metric", metrics.contains(expiry), &metrics);
    table.finish()
}

#[tokio::test]
async fn clients_must_show_a_certificate_where_an_authority_is_set() -> TestResult {
    let folder = tempfile::tempdir()?;
    let (ours, theirs) = (Authority::new("ours")?, Authority::new("theirs")?);
    write(folder.path(), &ours.issue("server", 2090)?)?;
    let ca = folder.path().join("ca.crt");
    fs::write(&ca, ours.certificate())?;
    let settings = settings(folder.path()).with("SPYHOP_TLS_CLIENT_CA", ca.display().to_string());
    let of = |identity: Option<&Identity>| TlsClient::new(&ours.certificate(), identity);
    let (good, foreign, ended) = (ours.issue("c", 2090)?, theirs.issue("c", 2090)?, ours.issue("c", 2021)?);
    let server = Server::start_tls(settings, &of(Some(&good))).await?;
    let mut table = Table::new("N2 mutual");
    let sent = request("POST", "/v1/logs", &[JSON], &log_json("mutual"));
    let livez = request("GET", "/livez", &[], b"");
    let [grpc, http, api] = server.ports();
    let check = async |table: &mut Table, what: &str, identity: Option<&Identity>, expect: bool| {
        for (port, sent) in [(grpc, &sent), (http, &sent), (api, &livez)] {
            let answer = of(identity).exchange(port, sent).await;
            let is_served = answer.as_ref().is_ok_and(|answer| answer.status == 200);
            noted(table, what, is_served == expect, &answer);
        }
    };
    check(&mut table, "a good one", Some(&good), true).await;
    check(&mut table, "none", None, false).await;
    check(&mut table, "another authority's", Some(&foreign), false).await;
    check(&mut table, "one that has ended", Some(&ended), false).await;
    // Who may come in changes without a restart.
    fs::write(&ca, theirs.certificate())?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    check(&mut table, "no longer", Some(&good), false).await;
    check(&mut table, "from now on", Some(&foreign), true).await;
    table.finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_change_under_load_and_no_request_fails() -> TestResult {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("test")?;
    write(folder.path(), &authority.issue("first", 2090)?)?;
    let client = TlsClient::new(&authority.certificate(), None);
    let server = Server::start_tls(settings(folder.path()), &client).await?;
    let [_, http, api] = server.ports();
    let stop = Arc::new(AtomicBool::new(false));
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..3 {
        let (client, stop) = (client.clone(), stop.clone());
        senders.spawn(async move {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                let body = log_json(&format!("reload {sender} {sent}"));
                let answer = client.exchange(http, &request("POST", "/v1/logs", &[JSON], &body)).await?;
                ensure!(answer.status == 200, "{answer:?}");
                sent += 1;
            }
            Ok::<i64, anyhow::Error>(sent)
        });
    }
    for year in 2091..2096 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        fs::write(folder.path().join("tls.crt"), "half a certifi")?;
        tokio::time::sleep(Duration::from_millis(400)).await;
        write(folder.path(), &authority.issue("next", year)?)?;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stop.store(true, Ordering::Relaxed);
    let mut sent = 0;
    while let Some(sender) = senders.join_next().await {
        sent += sender??;
    }
    let metrics = client.exchange(api, &request("GET", "/metrics", &[], b"")).await?.text();
    let shown: Vec<&str> = metrics.lines().filter(|line| line.starts_with("spyhop_tls_")).collect();
    println!("{sent} requests, each with a handshake of its own, over 5 reloads: {shown:?}");
    let last = r#"spyhop_tls_certificate_expiry_time_seconds{role="ingest"} 3944678400"#;
    assert!(shown.contains(&last), "{shown:?}");
    assert!(server.log().contains("no good; the ones before stay in force"), "{}", server.log_tail());
    assert!(sent > 0);
    Ok(())
}

#[tokio::test]
async fn files_that_are_no_good_are_named_in_a_sentence() -> TestResult {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("test")?;
    let (one, other) = (authority.issue("one", 2090)?, authority.issue("other", 2090)?);
    let mut table = Table::new("N2 files");
    let check =
        async |table: &mut Table, what: &str, certificate: Option<&str>, key: &str, parts: &[&str]| -> TestResult {
            let _ = fs::remove_file(folder.path().join("tls.crt"));
            if let Some(certificate) = certificate {
                fs::write(folder.path().join("tls.crt"), certificate)?;
            }
            fs::write(folder.path().join("tls.key"), key)?;
            let server = Server::prepare(settings(folder.path()))?;
            let output = tokio::time::timeout(Duration::from_secs(20), server.run(&["serve"])).await??;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let is_right =
                !output.status.success() && said.lines().count() == 1 && parts.iter().all(|part| said.contains(part));
            noted(table, what, is_right, (&output.status, &said));
            Ok(())
        };
    check(&mut table, "missing", None, &one.key, &["tls.certificate", "tls.crt", "cannot be read"]).await?;
    check(&mut table, "no certificate", Some("hello"), &one.key, &["tls.certificate", "holds no certificate"]).await?;
    check(&mut table, "no key", Some(&one.certificate), "hello", &["tls.key", "holds no private key"]).await?;
    check(&mut table, "no pair", Some(&one.certificate), &other.key, &["does not belong to", "tls.key"]).await?;
    table.finish()
}
