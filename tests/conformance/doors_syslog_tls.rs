//! D: syslog over TLS (RFC 5425): what is stored, who may send, and how connections end that are none.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testkit::pki::{Authority, Identity};
use testkit::raw::request;
use testkit::{Server, TlsClient, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rows::Table;
use super::tls::{noted, settings, sql, write};
use crate::TestResult;

/// A server that receives syslog over TLS, and over TCP beside it.
struct Syslog {
    server: Server,
    folder: tempfile::TempDir,
    client: TlsClient,
    tcp: u16,
    tls: u16,
}

async fn start(authority: &Authority, is_mutual: bool) -> Result<Syslog> {
    let folder = tempfile::tempdir()?;
    let (tcp, tls) = (free_port()?, free_port()?);
    write(folder.path(), &authority.issue("server", 2090)?)?;
    fs::write(folder.path().join("ca.crt"), authority.certificate())?;
    let mut settings = settings(folder.path())
        .with("SPYHOP_SYSLOG_TCP_ADDRESS", format!("127.0.0.1:{tcp}"))
        .with("SPYHOP_SYSLOG_TLS_ADDRESS", format!("127.0.0.1:{tls}"));
    if is_mutual {
        settings = settings.with("SPYHOP_TLS_CLIENT_CA", folder.path().join("ca.crt").display().to_string());
    }
    let identity = authority.issue("client", 2090)?;
    let client = TlsClient::new(&authority.certificate(), Some(&identity));
    Ok(Syslog { server: Server::start_tls(settings, &client).await?, folder, client, tcp, tls })
}

impl Syslog {
    async fn bodies(&self) -> Result<Vec<String>> {
        let query = "select coalesce(body, '') from logs order by observed_time";
        let answer: serde_json::Value = serde_json::from_str(&sql(&self.client, &self.server, query).await?)?;
        let rows = answer["rows"].as_array().context("rows")?;
        Ok(rows.iter().map(|row| row[0].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Sends bytes over a connection of this client, which the server ends once all is durable.
    async fn send(&self, client: &TlsClient, bytes: &[u8]) -> TestResult {
        let mut stream = client.connect(self.tls, &[]).await?;
        stream.write_all(bytes).await?;
        stream.shutdown().await?;
        // Where a client is refused it learns of it here; otherwise the end is a clean one.
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut [0])).await??;
        ensure!(read == 0, "syslog is not answered");
        Ok(())
    }
}

#[tokio::test]
async fn messages_come_over_tls_beside_tcp() -> TestResult {
    let authority = Authority::new("test")?;
    let syslog = start(&authority, false).await?;
    let client = TlsClient::new(&authority.certificate(), None);
    let mut table = Table::new("D syslog over TLS");
    let mut expect = Vec::new();
    for (what, client, sent, bodies) in [
        ("counted octets", client.clone(), &b"13 <13>app: one\n13 <13>app: two\n"[..], &["one", "two"][..]),
        ("TLS 1.2", client.clone().only_tls12(), b"15 <13>app: three\n", &["three"]),
        ("lines are taken too", client.clone(), b"<13>app: four\n<13>app: five\n", &["four", "five"]),
        ("what is cut off is kept", client.clone(), b"99 <13>app: six", &["six"]),
    ] {
        expect.extend(bodies);
        let outcome = syslog.send(&client, sent).await;
        let found = syslog.bodies().await?;
        noted(&mut table, what, outcome.is_ok() && found == expect, (outcome, found));
    }
    let mut plain = TcpStream::connect(("127.0.0.1", syslog.tcp)).await?;
    plain.write_all(b"<13>app: plain\n").await?;
    plain.shutdown().await?;
    let _ = tokio::time::timeout(Duration::from_secs(10), plain.read(&mut [0])).await?;
    expect.push("plain");
    for (what, sent) in [("plain syslog", &b"<13>app: in the clear\n"[..]), ("silence", b"")] {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", syslog.tls)).await?;
        stream.write_all(sent).await?;
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
        noted(&mut table, &format!("{what} on its port ends in time"), ended.is_ok(), (&ended, begun.elapsed()));
    }
    let found = syslog.bodies().await?;
    noted(&mut table, "TCP beside it, and nothing else", found == expect, &found);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let metrics = syslog.client.exchange(syslog.server.ports()[2], &request("GET", "/metrics", &[], b"")).await?.text();
    for line in [
        r#"spyhop_syslog_messages_total{role="ingest",transport="tls"} 6"#,
        r#"spyhop_syslog_messages_total{role="ingest",transport="tcp"} 1"#,
    ] {
        noted(&mut table, line, metrics.contains(line), "no such line");
    }
    table.finish()
}

#[tokio::test]
async fn who_shows_no_certificate_sends_nothing_where_one_is_demanded() -> TestResult {
    let (ours, theirs) = (Authority::new("ours")?, Authority::new("theirs")?);
    let syslog = start(&ours, true).await?;
    let of = |identity: Option<&Identity>| TlsClient::new(&ours.certificate(), identity);
    let (foreign, ended) = (theirs.issue("c", 2090)?, ours.issue("c", 2021)?);
    let mut table = Table::new("D syslog over mutual TLS");
    for (what, client, is_taken) in [
        ("a good one", syslog.client.clone(), true),
        ("none", of(None), false),
        ("another authority's", of(Some(&foreign)), false),
        ("one that has ended", of(Some(&ended)), false),
    ] {
        let outcome = syslog.send(&client, format!("<13>app: {what}\n").as_bytes()).await;
        noted(&mut table, what, outcome.is_ok() == is_taken, &outcome);
    }
    let found = syslog.bodies().await?;
    noted(&mut table, "nothing else is stored", found == ["a good one"], &found);
    // Who may come in changes without a restart.
    fs::write(syslog.folder.path().join("ca.crt"), [ours.certificate(), theirs.certificate()].concat())?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let outcome = syslog.send(&of(Some(&foreign)), b"<13>app: from now on\n").await;
    noted(&mut table, "from now on", outcome.is_ok(), &outcome);
    table.finish()
}
