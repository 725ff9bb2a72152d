//! Writes a role's status file every second, on a thread of its own, so that a busy role still reports.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use server::status::{self, RoleStatus};

use crate::roles::Role;
use crate::{clock, process_stats};

const INTERVAL: Duration = Duration::from_secs(1);
/// Until the role is ready it reports more often, so that others learn of it at once.
const INTERVAL_UNREADY: Duration = Duration::from_millis(100);

/// Stops reporting when dropped, after a last word that the role is not ready.
pub(crate) struct StatusWriter {
    folder: PathBuf,
    stopped: Arc<AtomicBool>,
    role: Role,
    started_unix_nano: i64,
}

impl StatusWriter {
    /// Begins to report what `look` sees. It must not block for long.
    pub(crate) fn start(
        folder: PathBuf,
        role: Role,
        look: impl Fn(&mut RoleStatus) + Send + 'static,
    ) -> std::io::Result<StatusWriter> {
        let stopped = Arc::new(AtomicBool::new(false));
        let writer = StatusWriter {
            folder: folder.clone(),
            stopped: stopped.clone(),
            role,
            started_unix_nano: clock::now_unix_nano(),
        };
        let started_unix_nano = writer.started_unix_nano;
        std::thread::Builder::new().name("status".to_owned()).spawn(move || {
            let mut has_failed = false;
            while !stopped.load(Ordering::Relaxed) {
                let mut status = blank(role, started_unix_nano);
                status.metrics = process_stats::metrics();
                look(&mut status);
                let written = status::write(&folder, &status);
                if let Err(error) = &written
                    && !has_failed
                {
                    tracing::warn!(%error, "cannot write the status file");
                }
                has_failed = written.is_err();
                std::thread::park_timeout(if status.ready { INTERVAL } else { INTERVAL_UNREADY });
            }
        })?;
        Ok(writer)
    }
}

impl Drop for StatusWriter {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let mut status = blank(self.role, self.started_unix_nano);
        status.remarks.push("has stopped".to_owned());
        let _ = status::write(&self.folder, &status);
    }
}

fn blank(role: Role, started_unix_nano: i64) -> RoleStatus {
    RoleStatus {
        role: role.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started_unix_nano,
        written_unix_nano: clock::now_unix_nano(),
        ..RoleStatus::default()
    }
}
