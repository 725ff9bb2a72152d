//! What comes before any role runs: the data folder, its catalog, and what a person is told.

use std::net::TcpListener;

use catalog::{Catalog, CatalogError};
use store::{Layout, StoreError};

use crate::failure::Failure;
use crate::logging;
use crate::settings::Settings;

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
pub(crate) fn announce(settings: &Settings, ingest: &[TcpListener], query: &[TcpListener]) {
    let shown = |listener: Option<&TcpListener>| listener.and_then(|listener| listener.local_addr().ok());
    let (grpc, http, api) = (shown(ingest.first()), shown(ingest.get(1)), shown(query.first()));
    let text = |address: Option<std::net::SocketAddr>| address.map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(
        otlp_grpc = text(grpc),
        otlp_http = text(http),
        api = text(api),
        data_dir = %settings.data_dir.display(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    let open = [grpc, http, api].into_iter().flatten().any(|address| !address.ip().is_loopback());
    if open {
        tracing::warn!(
            "listening beyond this machine, and authentication is off: anyone who reaches it may send and ask"
        );
    }
    let url = |address: Option<std::net::SocketAddr>| match address {
        Some(address) if address.ip().is_unspecified() => format!("http://localhost:{}", address.port()),
        Some(address) => format!("http://{address}"),
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
