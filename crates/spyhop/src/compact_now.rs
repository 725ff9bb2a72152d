//! `spyhop compact --now`: asks, through the catalog, that everything acknowledged so far be sealed and flushed and its
//! hours closed, which means that their small files are merged; and waits until it is.

use std::time::{Duration, Instant};

use catalog::Catalog;
use store::Layout;

use crate::failure::Failure;
use crate::listeners::PATIENCE;
use crate::settings::Settings;
use crate::{clock, locks, logging, start};

const POLL: Duration = Duration::from_millis(50);
/// Roles without which a request is never fulfilled.
const NEEDED: [&str; 2] = ["ingest", "compact"];

/// Runs the command. `wait_max` bounds the wait.
pub(crate) fn run(settings: &Settings, wait_max: Duration) -> Result<(), Failure> {
    if !Layout::new(&settings.data_dir).catalog_path().exists() {
        return Err(Failure::new(format!(
            "there is no catalog in {}: start 'spyhop serve' first, or name its folder by SPYHOP_DATA_DIR",
            settings.data_dir.display()
        )));
    }
    let layout = start::open_data_folder(settings).map_err(as_failed)?;
    check_running(&layout)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(request_and_wait(&layout, wait_max))
}

fn as_failed(failure: Failure) -> Failure {
    Failure::new(failure.sentence)
}

/// A role that holds its lock runs. One that is being restarted gets a moment.
fn check_running(layout: &Layout) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    for role in NEEDED {
        while locks::try_take(&layout.lock_path(role)).map_err(as_failed)?.is_some() {
            if Instant::now() >= deadline {
                return Err(Failure::new(format!(
                    "no {role} role runs on {}: start 'spyhop serve' there, which seals and flushes",
                    layout.root().display()
                )));
            }
            std::thread::sleep(POLL);
        }
    }
    Ok(())
}

async fn request_and_wait(layout: &Layout, wait_max: Duration) -> Result<(), Failure> {
    let failed = |error: catalog::CatalogError| Failure::new(format!("cannot ask for a flush: {error}"));
    let catalog: Catalog = start::open_catalog(layout).await.map_err(as_failed)?;
    let begun = Instant::now();
    let request = catalog.request_flush(clock::now_unix_nano()).await.map_err(failed)?;
    while !catalog.flush_done(request).await.map_err(failed)? {
        if begun.elapsed() > wait_max {
            return Err(Failure::new(format!(
                "not flushed after {} s; the request stands, and the log of the compact role says what is in its way",
                wait_max.as_secs()
            )));
        }
        tokio::time::sleep(POLL).await;
    }
    catalog.close().await;
    logging::print(&format!(
        "Everything acknowledged is in files, and their hours are merged, after {:.1} s.\n",
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}
