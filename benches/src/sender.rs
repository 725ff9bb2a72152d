//! A closed loop of raw HTTP/1.1 connections: the next request goes out when the last one was acknowledged.
//!
//! The bytes are written as they lie in memory, so the generator's own cost stays small beside the server's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::data::DataSet;

/// What became of the requests.
#[derive(Debug, Default, Clone, Copy)]
pub struct Sent {
    /// Requests acknowledged.
    pub acknowledged: u64,
    /// Refusals (429, 503) that were waited out and sent again.
    pub refused: u64,
}

/// Sends every request of the set over so many connections and returns when the last is acknowledged.
pub async fn send(set: Arc<DataSet>, port: u16, connections: usize) -> Result<Sent> {
    let next = Arc::new(AtomicUsize::new(0));
    let refused = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for _ in 0..connections {
        tasks.push(tokio::spawn(connection(set.clone(), port, next.clone(), refused.clone())));
    }
    let mut acknowledged = 0;
    for task in tasks {
        acknowledged += task.await??;
    }
    Ok(Sent { acknowledged, refused: refused.load(Ordering::Relaxed) })
}

async fn connection(set: Arc<DataSet>, port: u16, next: Arc<AtomicUsize>, refused: Arc<AtomicU64>) -> Result<u64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.context("cannot reach OTLP/HTTP")?;
    stream.set_nodelay(true)?;
    let mut acknowledged = 0;
    let mut buffer = vec![0; 16 * 1024];
    while let Some(body) = set.requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
            set.signal.path(),
            body.len()
        );
        loop {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body).await?;
            match read_status(&mut stream, &mut buffer).await? {
                200 => break,
                429 | 503 => {
                    refused.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                status => bail!("an export was answered {status}"),
            }
        }
        acknowledged += 1;
    }
    Ok(acknowledged)
}

/// Reads one answer whole and returns its status.
async fn read_status(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<u16> {
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..]).await?;
        if count == 0 {
            bail!("the server closed the connection instead of answering");
        }
        filled += count;
        let Some(end) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(Ok(0), |value| value.trim().parse::<usize>())?;
        if filled >= end + 4 + length {
            return Ok(head.get(9..12).context("an answer without a status line")?.parse()?);
        }
    }
}
