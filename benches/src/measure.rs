//! What the server's processes and its folder cost, read from outside.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testkit::descendants;

/// CPU-seconds spent so far by the process and everything it started.
pub fn cpu_seconds(root: u32) -> f64 {
    descendants(root).iter().map(|process| process.cpu_seconds).sum()
}

/// CPU-seconds by role.
pub fn cpu_seconds_by_role(root: u32) -> BTreeMap<String, f64> {
    let mut by_role = BTreeMap::new();
    for process in descendants(root) {
        *by_role.entry(process.role().to_owned()).or_default() += process.cpu_seconds;
    }
    by_role
}

/// Highest RssAnon seen by role, in bytes, while it watches.
pub struct MemoryWatch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<BTreeMap<String, u64>>,
}

impl MemoryWatch {
    /// Looks every 100 ms until [`MemoryWatch::finish`].
    pub fn start(root: u32) -> MemoryWatch {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut highest = BTreeMap::new();
            while !seen.load(Ordering::Relaxed) {
                let mut total = 0;
                for process in descendants(root) {
                    total += process.rss_anon_bytes;
                    let entry: &mut u64 = highest.entry(process.role().to_owned()).or_default();
                    *entry = (*entry).max(process.rss_anon_bytes);
                }
                let entry = highest.entry("all".to_owned()).or_default();
                *entry = (*entry).max(total);
                std::thread::sleep(Duration::from_millis(100));
            }
            highest
        });
        MemoryWatch { stop, thread }
    }

    /// The highest seen.
    pub fn finish(self) -> BTreeMap<String, u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// Bytes of files under the folder by extension; what waits for its grace (`.dead`) apart.
pub fn bytes_by_extension(folder: &Path) -> BTreeMap<String, u64> {
    let mut by_extension = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                let extension = path.extension().and_then(|text| text.to_str()).unwrap_or("none").to_owned();
                *by_extension.entry(extension).or_default() += metadata.len();
            }
        }
    }
    by_extension
}

/// Median and 95th percentile, in the unit of the values.
pub fn percentiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let index = ((values.len() as f64 - 1.0) * share).round() as usize;
        values.get(index).copied().unwrap_or(f64::NAN)
    };
    (at(0.5), at(0.95))
}
