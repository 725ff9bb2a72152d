//! What comes before any role runs: the data folder, its catalog, and what a person is told.

use std::io::ErrorKind;
use std::net::TcpListener;

use catalog::{Catalog, CatalogError};
use store::{Layout, StoreError};

use crate::failure::Failure;
use crate::logging;
use crate::settings::Settings;

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
    probe_space(&layout)?;
    let catalog = open_catalog(&layout).await?;
    catalog.close().await;
    Ok(())
}

/// A disk without room for a page cannot take a single export; this says so before anything listens.
fn probe_space(layout: &Layout) -> Result<(), Failure> {
    let path = layout.status_folder().join("probe");
    let written = std::fs::write(&path, [0_u8; 4096]);
    let _ = std::fs::remove_file(&path);
    written.map_err(|error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Failure::cannot_start(format!(
            "no space left on the disk of {}: free some and start again",
            layout.root().display()
        )),
        _ => Failure::cannot_start(format!("cannot write to {}: {error}", layout.root().display())),
    })
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
        tracing::warn!("listening beyond this machine, and authentication is off: anyone who reaches it may send and ask");
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
