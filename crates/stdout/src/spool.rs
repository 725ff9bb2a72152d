//! Requests that wait to be sent, bounded in bytes (I7).
//!
//! A request counts from when it is put in until it is delivered or given up, so what is on its way counts too. Over
//! the bound the oldest that waits is dropped: what was said last tells most about why the server is away. An input
//! that can wait (a file) waits instead.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// What happens when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest records are dropped, counted and reported: the app is never blocked.
    DropOldest,
    /// Reading stops until there is room.
    Wait,
}

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Log records as protobuf.
    Logs,
    /// OTLP/JSON, to this path.
    Native(&'static str),
}

/// One request as it goes over the wire. Every attempt sends the same bytes, so that the server recognises a resend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) form: Form,
    pub(crate) body: Bytes,
    pub(crate) records: u64,
}

/// The queue, shared by those who read and those who send.
#[derive(Debug)]
pub(crate) struct Spool {
    state: Mutex<State>,
    room: Condvar,
    work: Notify,
    bytes_max: usize,
    when_full: WhenFull,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Request>,
    /// Bytes and records of the queue and of what is on its way.
    bytes: usize,
    records: u64,
    closed: bool,
}

impl Spool {
    pub(crate) fn new(bytes_max: usize, when_full: WhenFull) -> Spool {
        Spool { state: Mutex::default(), room: Condvar::new(), work: Notify::new(), bytes_max, when_full }
    }

    /// Puts a request in; returns the records that had to be dropped for it. May wait where that was chosen.
    pub(crate) fn put(&self, request: Request) -> u64 {
        let mut state = self.lock();
        while self.when_full == WhenFull::Wait && !self.fits(&state, &request) && !state.closed {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.put_in(state, request)
    }

    /// Puts a request in beyond the bound: the last one, and the few that speak of losses.
    pub(crate) fn put_beyond(&self, request: Request) {
        self.append(self.lock(), request);
    }

    fn put_in(&self, mut state: MutexGuard<'_, State>, request: Request) -> u64 {
        let mut dropped = 0;
        while !self.fits(&state, &request) {
            // Where everything is on its way, the new one is dropped.
            let Some(oldest) = state.queue.pop_front() else { return dropped + request.records };
            state.bytes -= oldest.body.len();
            state.records -= oldest.records;
            dropped += oldest.records;
        }
        self.append(state, request);
        dropped
    }

    fn append(&self, mut state: MutexGuard<'_, State>, request: Request) {
        state.bytes += request.body.len();
        state.records += request.records;
        state.queue.push_back(request);
        drop(state);
        self.work.notify_one();
    }

    /// One request always fits, however large.
    fn fits(&self, state: &State, request: &Request) -> bool {
        state.bytes == 0 || state.bytes + request.body.len() <= self.bytes_max
    }

    /// The oldest request, as soon as there is one; nothing once the spool is closed and empty.
    pub(crate) async fn take(&self) -> Option<Request> {
        loop {
            {
                let mut state = self.lock();
                if let Some(request) = state.queue.pop_front() {
                    if !state.queue.is_empty() || state.closed {
                        // Another sender may be waiting.
                        self.work.notify_one();
                    }
                    return Some(request);
                }
                if state.closed {
                    self.work.notify_one();
                    return None;
                }
            }
            self.work.notified().await;
        }
    }

    /// A request was delivered or given up.
    pub(crate) fn release(&self, request: &Request) {
        let mut state = self.lock();
        state.bytes -= request.body.len();
        state.records -= request.records;
        drop(state);
        self.room.notify_all();
    }

    /// Nothing more will be put in; who waits for room waits no longer.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_one();
        self.room.notify_all();
    }

    /// Records that wait or are on their way.
    pub(crate) fn records(&self) -> u64 {
        self.lock().records
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: usize, records: u64) -> Request {
        Request { form: Form::Logs, body: Bytes::from(vec![0; bytes]), records }
    }

    async fn taken(spool: &Spool) -> Vec<u64> {
        let mut taken = Vec::new();
        while let Some(request) = spool.take().await {
            taken.push(request.records);
        }
        taken
    }

    #[tokio::test]
    async fn the_oldest_that_waits_is_dropped() {
        let spool = Spool::new(100, WhenFull::DropOldest);
        assert_eq!(spool.put(request(40, 1)), 0);
        assert_eq!(spool.put(request(60, 2)), 0, "exactly at the bound");
        assert_eq!(spool.put(request(1, 3)), 1);
        assert_eq!(spool.put(request(100, 4)), 2 + 3, "as many as it takes");
        assert_eq!(spool.records(), 4);
        spool.close();
        assert_eq!(taken(&spool).await, [4]);
    }

    #[tokio::test]
    async fn what_is_on_its_way_counts_and_stays() {
        let spool = Spool::new(100, WhenFull::DropOldest);
        spool.put(request(90, 1));
        let first = spool.take().await.expect("one");
        assert_eq!(spool.put(request(20, 2)), 2, "no room beside it");
        assert_eq!(spool.put(request(10, 3)), 0);
        spool.release(&first);
        assert_eq!(spool.put(request(90, 4)), 0);
        assert_eq!(spool.put(request(900, 5)), 3 + 4, "larger than the bound, and alone");
        spool.close();
        assert_eq!(taken(&spool).await, [5]);
    }

    #[tokio::test]
    async fn a_file_waits_for_room() {
        let spool = std::sync::Arc::new(Spool::new(100, WhenFull::Wait));
        spool.put(request(100, 1));
        let reader = std::thread::spawn({
            let spool = spool.clone();
            move || spool.put(request(50, 2))
        });
        let first = spool.take().await.expect("one");
        assert_eq!(spool.records(), 1);
        spool.release(&first);
        assert_eq!(reader.join().expect("no panic"), 0);
        assert_eq!(spool.take().await.map(|request| request.records), Some(2));
        // Closing ends the wait, and the record is counted as dropped.
        let reader = std::thread::spawn({
            let spool = spool.clone();
            move || spool.put(request(80, 3))
        });
        std::thread::sleep(std::time::Duration::from_millis(20));
        spool.close();
        assert_eq!(reader.join().expect("no panic"), 3);
    }
}
