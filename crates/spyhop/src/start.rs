//! What comes before any role runs: the data folder, its catalog, and what a person is told.

use std::net::{SocketAddr, TcpListener};

use catalog::{Catalog, CatalogError};
use server::status::RoleStatus;
use server::{Credentials, Scope, Tls};
use store::{Layout, StoreError};

use crate::failure::Failure;
use crate::listeners::{OTLP_LISTENERS, Sockets};
use crate::settings::Settings;
use crate::{clock, logging};

/// Room for the catalog and its write-ahead log.
const CATALOG_BYTES: u64 = 8 << 20;

/// Opens the data folder, making it where it is missing; every reason against it is a sentence.
pub(crate) fn open_data_folder(settings: &Settings) -> Result<Layout, Failure> {
    store::open_data_folder(&settings.data_dir).map_err(|error| match &error {
        StoreError::NoSpace { .. } => Failure::cannot_start(format!("{error}: free some and start again")),
        _ => Failure::cannot_start(error),
    })
}

/// Opens the catalog of a data folder.
pub(crate) async fn open_catalog(layout: &Layout) -> Result<Catalog, Failure> {
    Catalog::open(&layout.catalog_path()).await.map_err(|error| match &error {
        CatalogError::Full => Failure::cannot_start(format!("{error}: free some space and start again")),
        _ => Failure::cannot_start(error),
    })
}

/// Opens folder and catalog once, so that one process says what is wrong with them, and not three.
pub(crate) async fn prepare_data_folder(settings: &Settings) -> Result<(), Failure> {
    let layout = open_data_folder(settings)?;
    check_space(&layout, settings)?;
    let catalog = open_catalog(&layout).await?;
    catalog.close().await;
    Ok(())
}

/// TLS as the settings have it, if they do.
pub(crate) fn load_tls(settings: &Settings) -> Result<Option<Tls>, Failure> {
    settings.tls.clone().map(Tls::load).transpose().map_err(Failure::cannot_start)
}

/// What TLS adds to the status of a role.
pub(crate) fn report_tls(tls: Option<&Tls>, out: &mut RoleStatus) {
    if let Some(tls) = tls {
        out.metrics.extend(tls.metrics());
        out.remarks.extend(tls.remarks(clock::now_unix_nano() / 1_000_000_000));
    }
}

/// The journal keeps two segments preallocated, so a disk without that much room cannot take a single export; this
/// says so before anything listens.
fn check_space(layout: &Layout, settings: &Settings) -> Result<(), Failure> {
    let needed = 2 * settings.journal.segment_bytes_max + CATALOG_BYTES;
    let free = store::free_bytes(layout.root()).map_err(Failure::cannot_start)?;
    if free >= needed {
        return Ok(());
    }
    Err(Failure::cannot_start(format!(
        "no space left to start: the disk of {} has {} MiB free, and {} are needed: free some and start again",
        layout.root().display(),
        free >> 20,
        needed.div_ceil(1 << 20)
    )))
}

/// Says where Spyhop listens: to a person where stdout is a terminal, and to the log.
pub(crate) fn announce(settings: &Settings, ingest: &Sockets, query: &Sockets) {
    let shown = |listener: Option<&TcpListener>| listener.and_then(|listener| listener.local_addr().ok());
    let (grpc, http, api) = (shown(ingest.streams.first()), shown(ingest.streams.get(1)), shown(query.streams.first()));
    let text = |address: Option<SocketAddr>| address.map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(
        otlp_grpc = text(grpc),
        otlp_http = text(http),
        api = text(api),
        data_dir = %settings.data_dir.display(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    announce_syslog(settings, ingest);
    warn_of_open_doors(settings, [grpc, http], api);
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let url = |address: Option<SocketAddr>| match address {
        Some(address) if address.ip().is_unspecified() => format!("{scheme}://localhost:{}", address.port()),
        Some(address) => format!("{scheme}://{address}"),
        None => "not here".to_owned(),
    };
    logging::print_to_terminal(&format!(
        "\n  Spyhop {}\n\n  UI         {}\n  OTLP/HTTP  {}\n  OTLP/gRPC  {}\n  data       {}\n\n  \
         Send something: spyhop demo\n\n",
        env!("CARGO_PKG_VERSION"),
        url(api),
        url(http),
        url(grpc),
        settings.data_dir.display()
    ));
}

/// Says where syslog comes in, and who may send.
fn announce_syslog(settings: &Settings, ingest: &Sockets) {
    let mut streams: Vec<SocketAddr> =
        ingest.streams.iter().skip(OTLP_LISTENERS).filter_map(|listener| listener.local_addr().ok()).collect();
    let over_tls = settings.syslog.tls_address.as_ref().and_then(|_| streams.pop());
    let datagrams = ingest.datagrams.iter().filter_map(|socket| socket.local_addr().ok());
    let are_clients_known = settings.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let open = streams.into_iter().chain(datagrams).map(|address| (address, false));
    for (address, is_guarded) in open.chain(over_tls.map(|address| (address, are_clients_known))) {
        tracing::info!(%address, "listening for syslog");
        if !is_guarded && !address.ip().is_loopback() {
            tracing::warn!(%address, "syslog knows no credentials: anyone who reaches this port may send");
        }
    }
}

/// Says what anyone can do who reaches this machine.
fn warn_of_open_doors(settings: &Settings, otlp: [Option<SocketAddr>; 2], api: Option<SocketAddr>) {
    let credentials = Credentials::new(&settings.auth);
    let is_beyond = |address: &Option<SocketAddr>| address.is_some_and(|address| !address.ip().is_loopback());
    let (otlp, api) = (otlp.iter().any(is_beyond), is_beyond(&api));
    let (send, ask) = (otlp && !credentials.guards(Scope::Send), api && !credentials.guards(Scope::Read));
    let may = match (send, ask) {
        (true, true) => "send and ask",
        (true, false) => "send",
        (false, true) => "ask",
        (false, false) => {
            if (otlp || api) && settings.tls.is_none() {
                tracing::warn!("listening beyond this machine without TLS: tokens and passwords travel in the clear");
            }
            return;
        }
    };
    tracing::warn!("listening beyond this machine, and authentication is off: anyone who reaches it may {may}");
}
