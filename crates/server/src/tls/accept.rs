//! A handshake on a connection, or a clean end where the client speaks something else.

use std::io;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Tls;

/// What a client gets that speaks HTTP/1 where TLS is spoken.
const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 43\r\n\
    Connection: close\r\n\r\nthis port speaks TLS: ask it with https://\n";

/// What a client's first bytes say that it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    Tls,
    /// HTTP/1 in plain text, which can be told so.
    Http1,
    /// HTTP/2 in plain text, such as gRPC.
    Http2,
    Nothing,
}

fn spoken(first: &[u8]) -> Spoken {
    match first {
        [] => Spoken::Nothing,
        first if first.starts_with(b"PRI") => Spoken::Http2,
        [b'A'..=b'Z', ..] => Spoken::Http1,
        _ => Spoken::Tls,
    }
}

impl Tls {
    /// Makes a handshake. `wrap` is what every byte goes through beneath TLS.
    ///
    /// # Errors
    /// The client speaks no TLS, or not such that the two agree, or takes too long. The connection is closed by then.
    pub(crate) async fn accept<S>(
        &self,
        stream: TcpStream,
        wrap: impl FnOnce(TcpStream) -> S,
    ) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = self.handshake(stream, wrap);
        let timed = tokio::time::timeout(self.0.files.handshake_max, handshake).await;
        let accepted = timed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let count = if accepted.is_ok() { &self.0.handshakes } else { &self.0.failed_handshakes };
        count.fetch_add(1, Ordering::Relaxed);
        accepted
    }

    async fn handshake<S>(&self, stream: TcpStream, wrap: impl FnOnce(TcpStream) -> S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut first = [0; 4];
        let length = stream.peek(&mut first).await?;
        let mut stream = wrap(stream);
        match spoken(&first[..length]) {
            Spoken::Tls => {}
            other => {
                if other == Spoken::Http1 {
                    stream.write_all(PLAIN_ANSWER).await?;
                }
                stream.shutdown().await?;
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the client speaks no TLS"));
            }
        }
        let acceptor = TlsAcceptor::from(self.in_force().config);
        match acceptor.accept(stream).into_fallible().await {
            Ok(stream) => Ok(stream),
            Err((error, mut stream)) => {
                let _ = stream.shutdown().await;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_what_is_spoken() {
        let check = |first: &[u8], expect: Spoken| assert_eq!(spoken(first), expect, "{first:?}");
        check(&[0x16, 0x03, 0x01, 0x02], Spoken::Tls);
        check(b"POST", Spoken::Http1);
        check(b"G", Spoken::Http1);
        check(b"PRI ", Spoken::Http2);
        check(b"", Spoken::Nothing);
        check(&[0x80, 0x2e], Spoken::Tls);
    }

    #[test]
    fn the_plain_answer_s_length_is_right() {
        let text = std::str::from_utf8(PLAIN_ANSWER).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
