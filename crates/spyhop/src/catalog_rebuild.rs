//! `spyhop catalog rebuild`: makes the catalog anew from what lies on disk, with the server stopped.

use catalog::Catalog;
use store::Layout;

use crate::failure::Failure;
use crate::locks::{self, RoleLock};
use crate::roles::Role;
use crate::settings::Settings;
use crate::{clock, logging};

/// Runs the command. With `replace` a catalog that can be read is replaced too.
pub(crate) fn run(settings: &Settings, replace: bool) -> Result<(), Failure> {
    let layout = store::open_data_folder_to_rebuild(&settings.data_dir).map_err(failed)?;
    let _locks = lock_all(&layout)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    if !replace && runtime.block_on(can_be_read(&layout)) {
        return Err(Failure::new(format!(
            "the catalog {} is there and can be read: nothing was done; --replace makes it anew nevertheless",
            layout.catalog_path().display()
        )));
    }
    let report = runtime.block_on(compact::rebuild_catalog(&layout, clock::now_unix_nano())).map_err(failed)?;
    let mut text = format!("The catalog of {} was made anew:\n", layout.root().display());
    report.done.iter().for_each(|line| text.push_str(&format!("- {line}\n")));
    if layout.catalog_old_path().exists() {
        text.push_str(&format!("- the old one is kept as {}\n", layout.catalog_old_path().display()));
    }
    text.push_str("It cannot bring back settings that were kept in the catalog, and the history of the ledger.\n");
    if !report.warnings.is_empty() {
        text.push_str("Look at these:\n");
        report.warnings.iter().for_each(|line| text.push_str(&format!("- {line}\n")));
    }
    logging::print(&text);
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

/// The locks of every role: nobody reads or writes the folder meanwhile.
fn lock_all(layout: &Layout) -> Result<Vec<RoleLock>, Failure> {
    let mut taken = Vec::new();
    for role in [Role::Ingest, Role::Query, Role::Compact] {
        match locks::try_take(&layout.lock_path(role.name())).map_err(|failure| Failure::new(failure.sentence))? {
            Some(lock) => taken.push(lock),
            None => {
                return Err(Failure::new(format!(
                    "a spyhop process does '{role}' on {}: stop the server, then rebuild its catalog",
                    layout.root().display()
                )));
            }
        }
    }
    Ok(taken)
}

/// Whether there is a catalog that says what is live.
async fn can_be_read(layout: &Layout) -> bool {
    if !layout.catalog_path().exists() {
        return false;
    }
    let Ok(catalog) = Catalog::open(&layout.catalog_path()).await else { return false };
    let can_be_read = catalog.live_files().await.is_ok()
        && catalog.segments().await.is_ok()
        && catalog.committed_swaps().await.is_ok();
    catalog.close().await;
    can_be_read
}
