//! Durable file operations: after each of these the change survives power loss on a disk that honours flush.
//!
//! Order matters: bytes first, then the name (its folder), then the folder's own name, up to the first folder
//! that was there before.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Context, StoreError};
use crate::fault;

/// Makes a folder and every missing one above it, each with its name fsynced in its parent.
///
/// # Errors
/// [`StoreError::NoPermission`], [`StoreError::NoSpace`], else [`StoreError::Io`].
pub fn make_folder_durable(path: &Path) -> Result<(), StoreError> {
    let mut missing: Vec<&Path> = Vec::new();
    let mut folder = path;
    while !folder.as_os_str().is_empty() && !folder.is_dir() {
        missing.push(folder);
        match folder.parent() {
            Some(parent) => folder = parent,
            None => break,
        }
    }
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Ok(()) => {}
            // Another process was faster; its fsync of the parent may be still to come, so do it here too.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) => return Err(StoreError::io("make the folder", folder, error)),
        }
        sync_folder(parent_of(folder))?;
    }
    Ok(())
}

/// Makes the names in a folder durable.
///
/// # Errors
/// [`StoreError::Io`] and its kin; after a failed fsync nothing may be taken for durable (I12).
pub fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = File::open(path).context("open the folder", path)?;
    if fault::fails("fail_folder_sync") {
        return Err(StoreError::io("sync the folder", path, std::io::Error::other("injected fault")));
    }
    folder.sync_all().context("sync the folder", path)
}

/// The folder a path lies in; `.` for a bare name.
fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A name beside `path` that no other write uses.
fn temporary_beside(path: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}-{count}.tmp", std::process::id()))
}

/// Puts bytes under a name, whole or not at all, replacing what was there; makes missing folders.
///
/// # Errors
/// [`StoreError::NoSpace`], [`StoreError::NoPermission`], else [`StoreError::Io`]; the old content stays then.
pub fn put_durable(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = parent_of(path);
    make_folder_durable(folder)?;
    put_synced(path, bytes)?;
    sync_folder(folder)
}

/// Like [`put_durable`], but the folder must exist and its sync is left to the caller: several files of one
/// folder need only one [`sync_folder`].
///
/// # Errors
/// As [`put_durable`].
pub fn put_synced(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = temporary_beside(path);
    let written = write_and_sync(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path).context("rename a new file to", path));
    if written.is_err() {
        // Best effort: what stays is a hidden temporary file that nothing reads.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_and_sync(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = File::create(path).context("create", path)?;
    if fault::fails("fail_put_no_space") {
        return Err(StoreError::io("write", path, std::io::ErrorKind::StorageFull.into()));
    }
    file.write_all(bytes).context("write", path)?;
    file.sync_all().context("sync", path)
}

/// Renames a file and makes both folders durable. A target that exists is replaced.
///
/// # Errors
/// [`StoreError::Missing`] when there is no such file, else as [`put_durable`].
pub fn rename_durable(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).context("rename", from)?;
    sync_folder(parent_of(to))?;
    if parent_of(from) != parent_of(to) {
        sync_folder(parent_of(from))?;
    }
    Ok(())
}

/// Removes a file durably.
///
/// # Errors
/// [`StoreError::Missing`] when there is no such file, else [`StoreError::Io`] and its kin.
pub fn remove_durable(path: &Path) -> Result<(), StoreError> {
    fs::remove_file(path).context("remove", path)?;
    sync_folder(parent_of(path))
}

/// Removes a file if it is there, without syncing its folder; says whether it was.
///
/// # Errors
/// [`StoreError::Io`] and its kin.
pub fn remove_if_exists(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("remove", path, error)),
    }
}

/// Bytes an unprivileged process can still write on the file system of this folder.
///
/// # Errors
/// [`StoreError::Missing`] when the folder is not there, else [`StoreError::Io`].
pub fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    if fault::fails("no_free_space") {
        return Ok(0);
    }
    let stat = rustix::fs::statvfs(path).context("ask for the free space of", path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_make_folders_replace_and_leave_no_temporary_file() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("a/b/c.json");
        put_durable(&path, b"one").expect("put");
        put_durable(&path, b"two").expect("put again");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        let names: Vec<_> = fs::read_dir(root.path().join("a/b")).expect("list").collect();
        assert_eq!(names.len(), 1);
    }

    #[test]
    fn a_full_disk_keeps_what_was_there() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("status.json");
        put_durable(&path, b"old").expect("put");
        let armed = fault::arm_thread("fail_put_no_space");
        assert!(matches!(put_durable(&path, b"new"), Err(StoreError::NoSpace { .. })));
        drop(armed);
        assert_eq!(fs::read(&path).expect("read"), b"old");
        assert_eq!(fs::read_dir(root.path()).expect("list").count(), 1);
    }

    #[test]
    fn renames_and_removes_say_what_is_missing() {
        let root = tempfile::tempdir().expect("a folder");
        let (from, to) = (root.path().join("x.new"), root.path().join("x.parquet"));
        assert!(matches!(rename_durable(&from, &to), Err(StoreError::Missing { .. })));
        put_durable(&from, b"x").expect("put");
        rename_durable(&from, &to).expect("rename");
        assert!(!from.exists() && to.exists());
        assert!(remove_if_exists(&to).expect("remove"));
        assert!(!remove_if_exists(&to).expect("remove nothing"));
        assert!(matches!(remove_durable(&to), Err(StoreError::Missing { .. })));
    }

    #[test]
    fn free_space_is_known() {
        let root = tempfile::tempdir().expect("a folder");
        assert!(free_bytes(root.path()).expect("statvfs") > 0);
        assert!(matches!(free_bytes(&root.path().join("no")), Err(StoreError::Missing { .. })));
    }
}
