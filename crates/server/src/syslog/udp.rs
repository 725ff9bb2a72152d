//! Syslog over UDP: a datagram is a message, and those that have come together are one request.

use std::sync::Arc;
use std::time::Duration;

use doors::syslog::{Batch, Message};
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{Shared, Transport};

/// Longest datagram.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Bytes of datagrams that become one request.
const GATHERED_BYTES_MAX: usize = 128 * 1024;
/// Requests in flight; beyond it datagrams are dropped.
const IN_FLIGHT_MAX: usize = 8;

/// Receives datagrams until the end.
pub(super) async fn receive(socket: UdpSocket, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut exports = JoinSet::new();
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let received = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(_) = exports.join_next() => continue,
            received = socket.recv_from(&mut datagram) => received,
        };
        let length = match received {
            Ok((length, _)) => length,
            Err(error) => {
                // An earlier answer that could not be delivered, which we never send, or memory short for a moment.
                tracing::debug!(%error, "cannot receive a datagram");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let batch = gather(&socket, &mut datagram, length, &shared);
        if batch.records() == 0 {
            continue;
        }
        match permits.clone().try_acquire_owned() {
            Ok(permit) => {
                let shared = shared.clone();
                exports.spawn(async move {
                    store(batch, &shared).await;
                    drop(permit);
                });
            }
            Err(_) => shared.count(Transport::Udp, batch.records(), false),
        }
    }
    while exports.join_next().await.is_some() {}
}

/// The datagram that has come, and those that wait behind it.
fn gather(socket: &UdpSocket, datagram: &mut [u8], mut length: usize, shared: &Shared) -> Batch {
    let mut batch = Batch::new(usize::MAX);
    let mut gathered = 0;
    loop {
        let kept = length.min(shared.edge.message_bytes_max);
        let message = Message { bytes: &datagram[..kept], is_cut: kept < length };
        if !message.bytes.trim_ascii().is_empty() {
            let _ = batch.add(message, shared.moment());
        }
        gathered += length.max(1);
        if gathered >= GATHERED_BYTES_MAX {
            return batch;
        }
        length = match socket.try_recv_from(datagram) {
            Ok((length, _)) => length,
            // None waits; what else there may be comes up again with the next.
            Err(_) => return batch,
        };
    }
}

async fn store(batch: Batch, shared: &Shared) {
    let mut translation = batch.finish();
    let request = std::mem::take(&mut translation.request).into();
    let stored = shared.try_store(&translation, &request).await;
    if let Err(error) = &stored {
        tracing::debug!(%error, "datagrams are dropped");
    }
    shared.count(Transport::Udp, translation.records, stored.is_ok());
}
