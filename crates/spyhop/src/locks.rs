//! Role locks: one process per role and data folder, by a lock on `locks/<role>.lock` that ends with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::listeners::PAUSE;

/// A lock that is held; dropping it, or the end of the process, releases it.
#[derive(Debug)]
pub(crate) struct RoleLock {
    _file: File,
}

/// Takes the lock of a role, waiting `patience` for a process that is on its way out.
pub(crate) fn take(path: &Path, role: &str, patience: Duration) -> Result<RoleLock, Failure> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(lock) = try_take(path)? {
            return Ok(lock);
        }
        if Instant::now() >= deadline {
            return Err(Failure::cannot_start(format!(
                "another spyhop process does '{role}' on this data folder (it holds {}): stop it, or set \
                 SPYHOP_DATA_DIR to another folder",
                path.display()
            )));
        }
        std::thread::sleep(PAUSE);
    }
}

/// The lock, unless somebody holds it.
pub(crate) fn try_take(path: &Path) -> Result<Option<RoleLock>, Failure> {
    let complaint = |error: std::io::Error| Failure::cannot_start(format!("cannot lock {}: {error}", path.display()));
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(complaint)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(RoleLock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(complaint(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ingest.lock");
        let first = take(&path, "ingest", Duration::ZERO).expect("nobody holds it");
        let failure = take(&path, "ingest", Duration::ZERO).expect_err("it is held");
        assert!(failure.sentence.contains("ingest.lock"));
        drop(first);
        assert!(take(&path, "ingest", Duration::ZERO).is_ok());
    }
}
