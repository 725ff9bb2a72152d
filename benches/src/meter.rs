//! CPU time and memory of the server's process tree, from `/proc`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// By role: `supervisor`, `ingest`, `query`, `compact`.
pub type ByRole<T> = BTreeMap<String, T>;

/// The tree at one moment.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// CPU-seconds so far.
    pub cpu_seconds: ByRole<f64>,
    /// Anonymous memory in RAM, in bytes.
    pub memory: ByRole<u64>,
}

impl Sample {
    /// CPU-seconds between an earlier sample and this one.
    pub fn since(&self, earlier: &Sample) -> ByRole<f64> {
        let before = |role| earlier.cpu_seconds.get(role).copied().unwrap_or_default();
        self.cpu_seconds.iter().map(|(role, now)| (role.clone(), now - before(role))).collect()
    }
}

/// Samples memory ten times a second until dropped.
pub struct Meter {
    root: u32,
    peak: Arc<Mutex<ByRole<u64>>>,
    stop: Arc<AtomicBool>,
    sampler: Option<JoinHandle<()>>,
}

impl Meter {
    /// Watches the tree below this process.
    pub fn start(root: u32) -> Meter {
        let peak = Arc::new(Mutex::new(ByRole::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (peak_of_sampler, stop_of_sampler) = (peak.clone(), stop.clone());
        let sampler = thread::spawn(move || {
            while !stop_of_sampler.load(Ordering::Relaxed) {
                let now = sample(root);
                let mut peak = peak_of_sampler.lock().unwrap_or_else(PoisonError::into_inner);
                for (role, bytes) in now.memory {
                    let highest = peak.entry(role).or_default();
                    *highest = bytes.max(*highest);
                }
                drop(peak);
                thread::sleep(Duration::from_millis(100));
            }
        });
        Meter { root, peak, stop, sampler: Some(sampler) }
    }

    /// The tree now.
    pub fn sample(&self) -> Sample {
        sample(self.root)
    }

    /// The most memory since the last call.
    pub fn peak_and_reset(&self) -> ByRole<u64> {
        std::mem::take(&mut *self.peak.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(sampler) = self.sampler.take() {
            let _ = sampler.join();
        }
    }
}

fn sample(root: u32) -> Sample {
    let mut sample = Sample::default();
    for process in testkit::descendants(root) {
        let role = process.role().to_owned();
        *sample.cpu_seconds.entry(role.clone()).or_default() += process.cpu_seconds;
        *sample.memory.entry(role).or_default() += process.rss_anon_bytes;
    }
    sample
}

/// CPU-seconds of this process.
pub fn own_cpu_seconds() -> f64 {
    let own = std::process::id();
    testkit::descendants(own).iter().filter(|process| process.pid == own).map(|process| process.cpu_seconds).sum()
}
