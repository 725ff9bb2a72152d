//! Listeners: opened once, by whoever starts first, and handed down to the child that serves them.
//!
//! A port that is taken is tried again for [`PATIENCE`], because the process that held it may be on its way out.
//! Children find their listeners from descriptor 3 on, as `LISTEN_FDS` says.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use command_fds::FdMapping;

use crate::failure::Failure;
use crate::settings::Settings;

/// How long a taken port or lock is tried again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two tries.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);
/// First descriptor of those that are handed down.
const FIRST_DESCRIPTOR: i32 = 3;

/// What is asked for: an address and the setting that chose it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) address: &'a str,
    pub(crate) variable: &'static str,
}

/// Where ingest listens: gRPC's address, then HTTP's.
pub(crate) fn ingest_addresses(settings: &Settings) -> [Wanted<'_>; 2] {
    [
        Wanted { address: &settings.otlp.grpc_address, variable: "SPYHOP_OTLP_GRPC_ADDRESS" },
        Wanted { address: &settings.otlp.http_address, variable: "SPYHOP_OTLP_HTTP_ADDRESS" },
    ]
}

/// Where query listens.
pub(crate) fn query_addresses(settings: &Settings) -> [Wanted<'_>; 1] {
    [Wanted { address: &settings.api.address, variable: "SPYHOP_API_ADDRESS" }]
}

/// Opens listeners, trying taken ports again for a while.
pub(crate) fn open(wanted: &[Wanted<'_>]) -> Result<Vec<TcpListener>, Failure> {
    let deadline = Instant::now() + PATIENCE;
    wanted.iter().map(|wanted| open_one(*wanted, deadline)).collect()
}

fn open_one(wanted: Wanted<'_>, deadline: Instant) -> Result<TcpListener, Failure> {
    loop {
        match bind(wanted.address) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(Failure::cannot_start(complaint(wanted, &error))),
        }
    }
}

fn bind(address: &str) -> io::Result<TcpListener> {
    let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    TcpListener::bind(&addresses[..])
}

fn complaint(Wanted { address, variable }: Wanted<'_>, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{address} is taken by another process: stop it, or set {variable} to another address")
        }
        io::ErrorKind::PermissionDenied => {
            format!("no permission to listen on {address}: set {variable} to a port from 1024")
        }
        _ => format!("cannot listen on {address} ({error}): set {variable} to an address of this machine"),
    }
}

/// How descriptors of the listeners are renumbered in a child, and their count as `LISTEN_FDS` has it.
pub(crate) fn mappings(listeners: &[TcpListener]) -> io::Result<Vec<FdMapping>> {
    let mut mappings = Vec::with_capacity(listeners.len());
    for (child_fd, listener) in (FIRST_DESCRIPTOR..).zip(listeners) {
        mappings.push(FdMapping { parent_fd: OwnedFd::from(listener.try_clone()?), child_fd });
    }
    Ok(mappings)
}

/// The listeners that the supervisor handed down. To be called before any thread is started.
pub(crate) fn inherited() -> Result<Vec<TcpListener>, Failure> {
    let mut handed = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..handed.len() {
        let listener = handed.take_tcp_listener(index);
        let listener = listener.map_err(|error| Failure::cannot_start(format!("descriptor {index}: {error}")))?;
        listeners.extend(listener);
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_setting() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("bound").to_string();
        let wanted = Wanted { address: &address, variable: "SPYHOP_API_ADDRESS" };
        let failure = open_one(wanted, Instant::now()).expect_err("the port is taken");
        assert!(failure.sentence.contains(&address) && failure.sentence.contains("SPYHOP_API_ADDRESS"));
        drop(taken);
        assert!(open_one(wanted, Instant::now()).is_ok());
    }
}
