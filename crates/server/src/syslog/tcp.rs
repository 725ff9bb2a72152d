//! Syslog over TCP, with TLS or without: a connection's bytes are cut into messages, and a chunk's messages are one
//! request.

use std::sync::Arc;
use std::time::Duration;

use doors::syslog::{Batch, Framing};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{Shared, Transport, retry_after};
use crate::tls::Tls;

/// Bytes read at once; small, so that what they become is small too before the byte budget covers it.
const CHUNK_BYTES: usize = 16 * 1024;

/// Longest time that saying goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// Accepts connections until the end.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(shared.edge.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = next(&listener, &permits) => accepted,
        };
        let Some((stream, permit)) = accepted else { continue };
        let (tls, shared, stopped) = (tls.clone(), shared.clone(), stopped.clone());
        connections.spawn(async move {
            match tls {
                None => serve(stream, Transport::Tcp, &shared, stopped).await,
                Some(tls) => serve_tls(stream, &tls, &shared, stopped).await,
            }
            drop(permit);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a syslog connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Makes a handshake, and reads the connection then.
async fn serve_tls(stream: TcpStream, tls: &Tls, shared: &Shared, mut stopped: watch::Receiver<bool>) {
    let accepted = tokio::select! {
        biased;
        _ = stopped.wait_for(|stop| *stop) => return,
        accepted = tls.accept(stream, |stream| stream) => accepted,
    };
    match accepted {
        Ok(stream) => serve(stream, Transport::Tls, shared, stopped).await,
        Err(error) => tracing::debug!(%error, "no TLS handshake for syslog"),
    }
}

/// Reads one connection until it ends, lies silent too long, or everything does.
async fn serve<S>(mut stream: S, transport: Transport, shared: &Shared, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut framing = Framing::new(shared.edge.message_bytes_max);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => break,
            read = tokio::time::timeout(shared.edge.idle_timeout, stream.read(&mut chunk)) => read,
        };
        let Ok(Ok(length @ 1..)) = read else { break };
        let mut batch = batch();
        framing.take(&chunk[..length], &mut |message| {
            // Without a bound of its own a batch is never full.
            let _ = batch.add(message, shared.moment());
        });
        store(batch, transport, shared, &mut stopped).await;
    }
    // What came without its end is a message all the same.
    let mut batch = batch();
    framing.end(&mut |message| {
        let _ = batch.add(message, shared.moment());
    });
    store(batch, transport, shared, &mut stopped).await;
    // Over TLS the other side is told that nothing was cut off.
    let _ = tokio::time::timeout(GOODBYE_MAX, stream.shutdown()).await;
}

/// A batch that the bytes of a chunk and of one message bound.
fn batch() -> Batch {
    Batch::new(usize::MAX)
}

/// Makes a batch durable, however often it is refused, until everything ends.
async fn store(batch: Batch, transport: Transport, shared: &Shared, stopped: &mut watch::Receiver<bool>) {
    if batch.records() == 0 {
        return;
    }
    let mut translation = batch.finish();
    let request = std::mem::take(&mut translation.request).into();
    let is_stored = loop {
        let Err(error) = shared.try_store(&translation, &request).await else { break true };
        let Some(wait) = retry_after(&error) else {
            tracing::error!(%error, "syslog messages are dropped");
            break false;
        };
        // One attempt is left after the end has come.
        if *stopped.borrow() {
            break false;
        }
        let _ = tokio::time::timeout(wait, stopped.wait_for(|stop| *stop)).await;
    };
    shared.count(transport, translation.records, is_stored);
}
