//! A connection that is closed in two steps: the own side first, the rest once the client has stopped sending.
//!
//! A refusal is answered before a body is read. Were the connection closed at once, the bytes still arriving would
//! reset it, and the client would see the reset instead of the answer. So after the own side is closed, what comes is
//! read and thrown away, until the client closes too, falls silent, or [`LINGER_MAX`] is over (I7).

use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Longest time in all.
const LINGER_MAX: Duration = Duration::from_secs(5);
/// So many silences are as long as that.
const SILENCES: u32 = 5;

/// Wraps a stream; shutting it down is what takes longer.
pub(crate) struct Lingering<S> {
    stream: S,
    /// Longest time in all.
    linger_max: Duration,
    closing: Option<Closing>,
}

struct Closing {
    ends: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl<S> Lingering<S> {
    pub(crate) fn new(stream: S) -> Self {
        Lingering { stream, linger_max: LINGER_MAX, closing: None }
    }

    /// Longest time without a byte.
    fn silence_max(&self) -> Duration {
        self.linger_max / SILENCES
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lingering<S> {
    /// Ready once the client is done or time is up.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let silence_max = self.silence_max();
        let Some(closing) = &mut self.closing else { return Poll::Ready(()) };
        let mut space = [MaybeUninit::uninit(); 16 * 1024];
        loop {
            let mut buffer = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let now = Instant::now();
                    if now >= closing.ends {
                        return Poll::Ready(());
                    }
                    closing.alarm.as_mut().reset((now + silence_max).min(closing.ends));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return closing.alarm.as_mut().poll(context),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            let now = Instant::now();
            let alarm = Box::pin(tokio::time::sleep_until(now + self.silence_max()));
            self.closing = Some(Closing { ends: now + self.linger_max, alarm });
        }
        self.poll_discard(context).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_still_comes_is_read_before_the_end() {
        // A silence is over after 100 ms, and all of it after 500.
        let check = async |pauses: usize, closes: bool, milliseconds: std::ops::Range<u128>| {
            let (mut client, server) = tokio::io::duplex(64);
            let mut server = Lingering { linger_max: Duration::from_millis(500), ..Lingering::new(server) };
            let begun = Instant::now();
            let closing = async move {
                server.shutdown().await.expect("it closes");
                // Dropped with this block, as a connection that is done is.
                begun.elapsed().as_millis()
            };
            let sending = async {
                for _ in 0..pauses {
                    tokio::time::sleep(Duration::from_millis(60)).await;
                    if client.write_all(&[0; 1000]).await.is_err() {
                        return client;
                    }
                }
                if closes {
                    client.shutdown().await.expect("closes");
                }
                let mut rest = Vec::new();
                client.read_to_end(&mut rest).await.expect("the server's side is closed");
                client
            };
            let (elapsed, _client) = tokio::join!(closing, sending);
            assert!(milliseconds.contains(&elapsed), "{pauses} {closes}: {elapsed} ms");
        };
        check(0, true, 0..100).await;
        check(0, false, 100..400).await;
        check(2, true, 100..400).await;
        check(20, false, 400..1500).await;
    }
}
