//! Sending: raw HTTP/1.1 over kept connections, the next request after the answer to the last.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;

/// Longest answer that is understood: an OTLP answer is far shorter.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Attempts for one request before the run is given up.
const ATTEMPTS_MAX: usize = 200;

/// What sending came to.
pub struct Sent {
    /// Requests that were refused and sent again.
    pub retries: usize,
    /// The acknowledgement that one in a hundred was slower than.
    pub p99_ms: f64,
}

/// Sends every request once (again where it is refused retryably) and returns when all are acknowledged.
pub fn send_all(port: u16, connections: usize, requests: Arc<Vec<Bytes>>) -> Result<Sent> {
    let next = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..connections)
        .map(|_| {
            let (next, requests) = (next.clone(), requests.clone());
            thread::Builder::new().stack_size(256 * 1024).spawn(move || send_some(port, &next, &requests))
        })
        .collect::<std::io::Result<_>>()
        .context("cannot start the senders")?;
    let mut retries = 0;
    let mut latencies: Vec<f32> = Vec::with_capacity(requests.len());
    for sender in senders {
        let (again, mut times) = sender.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
        retries += again;
        latencies.append(&mut times);
    }
    latencies.sort_by(f32::total_cmp);
    let p99_ms = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default();
    Ok(Sent { retries, p99_ms: f64::from(p99_ms) })
}

fn send_some(port: u16, next: &AtomicUsize, requests: &[Bytes]) -> Result<(usize, Vec<f32>)> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).context("cannot connect")?;
    connection.set_nodelay(true)?;
    let (mut retries, mut times) = (0, Vec::new());
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        for attempt in 0.. {
            let began = Instant::now();
            connection.write_all(request).context("the connection broke")?;
            let status = read_answer(&mut connection, &mut buffer)?;
            match status {
                200 => {
                    times.push(began.elapsed().as_secs_f32() * 1e3);
                    break;
                }
                429 | 503 if attempt < ATTEMPTS_MAX => {
                    retries += 1;
                    thread::sleep(Duration::from_millis(100));
                }
                other => bail!("a request was answered with {other}"),
            }
        }
    }
    Ok((retries, times))
}

/// Reads one answer with a content length; returns its status.
fn read_answer(connection: &mut TcpStream, buffer: &mut [u8]) -> Result<u16> {
    let mut filled = 0;
    loop {
        let read = connection.read(&mut buffer[filled..]).context("no answer")?;
        if read == 0 {
            bail!("the server closed the connection");
        }
        filled += read;
        let Some(head) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head]).context("the answer's head is no text")?.to_ascii_lowercase();
        let status = text.get(9..12).and_then(|digits| digits.parse().ok()).context("no status")?;
        let length: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(Ok(0), |value| value.trim().parse())?;
        while filled < head + 4 + length {
            let read = connection.read(&mut buffer[filled..]).context("half an answer")?;
            if read == 0 {
                bail!("the server closed the connection within an answer");
            }
            filled += read;
        }
        return Ok(status);
    }
}
