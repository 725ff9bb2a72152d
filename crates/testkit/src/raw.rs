//! Requests as bytes and answers as they came: for what no client library would send.
//!
//! Vocabulary: an *exchange* is one connection, one request, one answer. Nothing is repaired: a header that is wrong
//! is sent wrong.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for a whole answer.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// An answer over HTTP/1.1, its body unchunked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// Status.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Status of the interim answer before it, such as 100.
    pub interim: Option<u16>,
}

impl RawAnswer {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request over HTTP/1.1 with `Host` and, where there is none among `headers`, `Content-Length`.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let has = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if !has("content-length") && !has("transfer-encoding") {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// A body in chunks of this many bytes, as `Transfer-Encoding: chunked` has it.
pub fn chunked(body: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(chunk_bytes.max(1)) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// A gRPC message with its prefix of five bytes.
pub fn grpc_frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![flag];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// Sends bytes to a loopback port and reads one answer.
///
/// # Errors
/// When there is no connection, or no whole answer.
pub async fn exchange(port: u16, bytes: &[u8]) -> Result<RawAnswer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.context("no connection")?;
    // A server that refuses early may close while we still send: its answer is what counts.
    let sent = stream.write_all(bytes).await;
    let answer = tokio::time::timeout(ANSWER_WAIT, read_answer(&mut stream)).await.context("no answer in time")?;
    match (answer, sent) {
        (Err(error), Err(sending)) => Err(error.context(format!("and sending failed: {sending}"))),
        (answer, _) => answer,
    }
}

/// Reads one answer from a connection.
///
/// # Errors
/// When the connection ends before the answer does, or the answer is no HTTP.
pub async fn read_answer(stream: &mut TcpStream) -> Result<RawAnswer> {
    let mut received = Vec::new();
    let mut interim = None;
    loop {
        let head_end = loop {
            if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            read_more(stream, &mut received).await?;
        };
        let (status, headers) = parse_head(&received[..head_end])?;
        received.drain(..head_end + 4);
        if (100..200).contains(&status) {
            interim = Some(status);
            continue;
        }
        let body = read_body(stream, &headers, received).await?;
        return Ok(RawAnswer { status, headers, body, interim });
    }
}

async fn read_more(stream: &mut TcpStream, received: &mut Vec<u8>) -> Result<()> {
    if stream.read_buf(received).await.context("the connection broke")? == 0 {
        bail!("the connection ended within the answer: {:?}", String::from_utf8_lossy(received));
    }
    Ok(())
}

fn parse_head(head: &[u8]) -> Result<(u16, Vec<(String, String)>)> {
    let head = std::str::from_utf8(head).context("the head is no text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status line")?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Ok((status.parse().with_context(|| format!("status {status:?}"))?, headers))
}

async fn read_body(stream: &mut TcpStream, headers: &[(String, String)], mut received: Vec<u8>) -> Result<Vec<u8>> {
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    if let Some(length) = header("content-length") {
        let length: usize = length.parse().context("content-length")?;
        while received.len() < length {
            read_more(stream, &mut received).await?;
        }
        received.truncate(length);
        return Ok(received);
    }
    if header("transfer-encoding") != Some("chunked") {
        return Ok(received);
    }
    let mut body = Vec::new();
    loop {
        let line_end = loop {
            if let Some(at) = received.windows(2).position(|two| two == b"\r\n") {
                break at;
            }
            read_more(stream, &mut received).await?;
        };
        let length = usize::from_str_radix(std::str::from_utf8(&received[..line_end])?.trim(), 16)?;
        while received.len() < line_end + 2 + length + 2 {
            read_more(stream, &mut received).await?;
        }
        body.extend_from_slice(&received[line_end + 2..line_end + 2 + length]);
        received.drain(..line_end + 2 + length + 2);
        if length == 0 {
            return Ok(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_written_as_given() {
        let text = String::from_utf8(request("POST", "/v1/logs", &[("A", "b")], b"xy")).expect("text");
        assert_eq!(text, "POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nA: b\r\nContent-Length: 2\r\n\r\nxy");
        assert_eq!(chunked(b"abcde", 3), b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        assert_eq!(grpc_frame(1, b"ab"), [1, 0, 0, 0, 2, b'a', b'b']);
    }
}
