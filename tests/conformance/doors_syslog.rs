//! D: syslog: framing, forms, bounds, and what becomes of it when nothing can be stored.

use std::time::Duration;

use anyhow::Result;
use testkit::raw::{exchange, request};
use testkit::{Server, ServerSettings, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::rows::Table;
use crate::TestResult;
use crate::doors::wait_for;

struct Syslog {
    server: Server,
    tcp: u16,
    udp: u16,
}

async fn start(settings: ServerSettings) -> Result<Syslog> {
    let (tcp, udp) = (free_port()?, free_port()?);
    let settings = settings
        .with("SPYHOP_SYSLOG_TCP_ADDRESS", format!("127.0.0.1:{tcp}"))
        .with("SPYHOP_SYSLOG_UDP_ADDRESS", format!("127.0.0.1:{udp}"));
    Ok(Syslog { server: Server::start(settings).await?, tcp, udp })
}

impl Syslog {
    /// Sends bytes over a connection of their own.
    async fn send(&self, bytes: &[u8]) -> TestResult {
        let mut stream = TcpStream::connect(("127.0.0.1", self.tcp)).await?;
        stream.write_all(bytes).await?;
        stream.shutdown().await?;
        // Closed by the server once all is durable.
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut [0])).await?;
        Ok(())
    }

    async fn bodies(&self) -> Result<Vec<String>> {
        let answer = self.server.client().sql("select coalesce(body, '') from logs order by observed_time").await?;
        Ok(answer.rows.iter().map(|row| row[0].as_str().unwrap_or_default().to_owned()).collect())
    }
}

fn noted(is_right: bool, found: impl std::fmt::Debug) -> Result<()> {
    if is_right { Ok(()) } else { Err(anyhow::anyhow!("{found:?}")) }
}

#[tokio::test]
async fn framing_and_bounds() -> TestResult {
    let syslog = start(ServerSettings::default().with("SPYHOP_SYSLOG_MESSAGE_BYTES_MAX", "1KiB")).await?;
    let mut table = Table::new("D syslog framing");
    let long = "x".repeat(5000);
    let mut expect = Vec::new();
    let rows: [(&str, Vec<u8>, &[&str]); 6] = [
        ("lines", b"<13>app: one\n<13>app: two\n".to_vec(), &["one", "two"]),
        ("a last line without its end", b"<13>app: three".to_vec(), &["three"]),
        ("counted octets", b"13 <13>app: four13 <13>app: five".to_vec(), &["four", "five"]),
        ("both in one connection", b"<13>app: six\n14 <13>app: seven".to_vec(), &["six", "seven"]),
        ("no syslog at all", b"GET / HTTP/1.1\r\n\r\n".to_vec(), &["GET / HTTP/1.1"]),
        ("bytes that are no text", b"<13>app: \xff\n".to_vec(), &["\u{fffd}"]),
    ];
    for (name, bytes, bodies) in rows {
        syslog.send(&bytes).await?;
        expect.extend(bodies.iter().map(|body| (*body).to_owned()));
        let found = syslog.bodies().await?;
        table.note(&format!("D {name}"), noted(found == expect, &found));
    }
    syslog.send(format!("<13>app: {long}\n<13>app: after\n").as_bytes()).await?;
    let found = syslog.bodies().await?;
    let is_cut = found.iter().any(|body| body.starts_with("xxx") && body.len() < 1024);
    table.note(
        "D a long line is cut, the next is whole",
        noted(is_cut && found.last().is_some_and(|b| b == "after"), &found),
    );
    let marked = "select count(*) from logs where attributes like '%syslog.truncated%'";
    let marked = syslog.server.client().sql_count(marked).await?;
    table.note("D and says so", noted(marked == 1, marked));
    let before = found.len() as i64;
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    for message in ["<13>app: a datagram", "<13>app: a datagram"] {
        socket.send_to(message.as_bytes(), ("127.0.0.1", syslog.udp)).await?;
    }
    table.note("D two datagrams that look alike are two", wait_for(&syslog.server.client(), before + 2).await);
    table.finish()
}

#[tokio::test]
async fn connections_are_bounded_and_idle_ones_end() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_SYSLOG_CONNECTIONS_MAX", "1")
        .with("SPYHOP_SYSLOG_IDLE_TIMEOUT", "500ms");
    let syslog = start(settings).await?;
    let mut silent = TcpStream::connect(("127.0.0.1", syslog.tcp)).await?;
    silent.write_all(b"<13>app: begun").await?;
    let mut waiting = TcpStream::connect(("127.0.0.1", syslog.tcp)).await?;
    waiting.write_all(b"<13>app: waited\n").await?;
    let ended = tokio::time::timeout(Duration::from_secs(10), silent.read(&mut [0])).await?;
    assert_eq!(ended?, 0, "a silent connection is closed");
    wait_for(&syslog.server.client(), 2).await?;
    assert_eq!(syslog.bodies().await?, ["begun", "waited"], "what it began is kept, and the next has its turn");
    Ok(())
}

#[tokio::test]
async fn over_its_rate_tcp_waits_and_udp_drops() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_LIMITS_TENANT_RECORDS_PER_SECOND", "50")
        .with("SPYHOP_LIMITS_BURST", "1s");
    let syslog = start(settings).await?;
    let client = syslog.server.client();
    let lines = |name: &str, count: u32| (0..count).map(|line| format!("<13>{name}: {line}\n")).collect::<String>();
    syslog.send(lines("first", 100).as_bytes()).await?;
    // In debt now for about a second: datagrams are dropped, a stream waits until it is paid.
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.send_to(b"<13>dropped: x", ("127.0.0.1", syslog.udp)).await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    syslog.send(lines("second", 20).as_bytes()).await?;
    assert_eq!(client.sql_count("select count(*) from logs where service_name in ('first', 'second')").await?, 120);
    assert_eq!(client.sql_count("select count(*) from logs where service_name = 'dropped'").await?, 0);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let metrics = exchange(syslog.server.ports()[2], &request("GET", "/metrics", &[], b"")).await?.text();
    for line in [
        r#"spyhop_syslog_messages_total{role="ingest",transport="tcp"} 120"#,
        r#"spyhop_syslog_dropped_total{role="ingest",transport="udp"} 1"#,
    ] {
        assert!(metrics.contains(line), "no {line}");
    }
    Ok(())
}
