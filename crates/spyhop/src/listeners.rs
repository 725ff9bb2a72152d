//! Listeners: opened once, by whoever starts first, and handed down to the child that serves them.
//!
//! A port that is taken is tried again for [`PATIENCE`], because the process that held it may be on its way out.
//! Children find their listeners from descriptor 3 on, as `LISTEN_FDS` says.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
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

/// Listeners of OTLP, which come first among ingest's: gRPC's and HTTP's.
pub(crate) const OTLP_LISTENERS: usize = 2;

/// What is asked for: an address and the setting that chose it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) address: &'a str,
    pub(crate) variable: &'static str,
}

/// Sockets of a role: listeners of streams first, sockets of datagrams behind them.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// Of ingest: gRPC's, HTTP's, and syslog's over TCP and over TLS where they have an address. Of query: the API's.
    pub(crate) streams: Vec<TcpListener>,
    /// Of ingest: syslog's, where that has one.
    pub(crate) datagrams: Vec<UdpSocket>,
}

/// Opens ingest's sockets.
pub(crate) fn open_ingest(settings: &Settings) -> Result<Sockets, Failure> {
    let mut streams = vec![
        Wanted { address: &settings.otlp.grpc_address, variable: "SPYHOP_OTLP_GRPC_ADDRESS" },
        Wanted { address: &settings.otlp.http_address, variable: "SPYHOP_OTLP_HTTP_ADDRESS" },
    ];
    let syslog = &settings.syslog;
    for (address, variable) in
        [(&syslog.tcp_address, "SPYHOP_SYSLOG_TCP_ADDRESS"), (&syslog.tls_address, "SPYHOP_SYSLOG_TLS_ADDRESS")]
    {
        streams.extend(address.as_ref().map(|address| Wanted { address, variable }));
    }
    let datagrams =
        syslog.udp_address.as_ref().map(|address| Wanted { address, variable: "SPYHOP_SYSLOG_UDP_ADDRESS" });
    Ok(Sockets {
        streams: open(&streams, |addresses| TcpListener::bind(addresses))?,
        datagrams: open(datagrams.as_slice(), |addresses| UdpSocket::bind(addresses))?,
    })
}

/// Opens query's sockets.
pub(crate) fn open_query(settings: &Settings) -> Result<Sockets, Failure> {
    let wanted = [Wanted { address: &settings.api.address, variable: "SPYHOP_API_ADDRESS" }];
    Ok(Sockets { streams: open(&wanted, |addresses| TcpListener::bind(addresses))?, datagrams: Vec::new() })
}

/// Opens sockets, trying taken ports again for a while.
fn open<S>(wanted: &[Wanted<'_>], bind: impl Fn(&[SocketAddr]) -> io::Result<S>) -> Result<Vec<S>, Failure> {
    let deadline = Instant::now() + PATIENCE;
    wanted.iter().map(|wanted| open_one(*wanted, &bind, deadline)).collect()
}

fn open_one<S>(
    wanted: Wanted<'_>,
    bind: impl Fn(&[SocketAddr]) -> io::Result<S>,
    deadline: Instant,
) -> Result<S, Failure> {
    loop {
        let addresses = wanted.address.to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>);
        match addresses.and_then(|addresses| bind(&addresses)) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(Failure::cannot_start(complaint(wanted, &error))),
        }
    }
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

/// How descriptors of the sockets are renumbered in a child.
pub(crate) fn mappings(sockets: &Sockets) -> io::Result<Vec<FdMapping>> {
    let streams = sockets.streams.iter().map(|listener| listener.try_clone().map(OwnedFd::from));
    let datagrams = sockets.datagrams.iter().map(|socket| socket.try_clone().map(OwnedFd::from));
    let descriptors = (FIRST_DESCRIPTOR..).zip(streams.chain(datagrams));
    descriptors.map(|(child_fd, parent_fd)| Ok(FdMapping { parent_fd: parent_fd?, child_fd })).collect()
}

/// The sockets that the supervisor handed down. To be called before any thread is started.
pub(crate) fn inherited() -> Result<Sockets, Failure> {
    let mut handed = listenfd::ListenFd::from_env();
    let mut sockets = Sockets::default();
    for index in 0..handed.len() {
        // What is no listener of streams is left where it is.
        if let Ok(listener) = handed.take_tcp_listener(index) {
            sockets.streams.extend(listener);
            continue;
        }
        let socket = handed.take_udp_socket(index);
        let socket = socket.map_err(|error| Failure::cannot_start(format!("descriptor {index}: {error}")))?;
        sockets.datagrams.extend(socket);
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_setting() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("bound").to_string();
        let wanted = Wanted { address: &address, variable: "SPYHOP_API_ADDRESS" };
        let bind = |addresses: &[SocketAddr]| TcpListener::bind(addresses);
        let failure = open_one(wanted, bind, Instant::now()).expect_err("the port is taken");
        assert!(failure.sentence.contains(&address) && failure.sentence.contains("SPYHOP_API_ADDRESS"));
        drop(taken);
        assert!(open_one(wanted, bind, Instant::now()).is_ok());
    }
}
