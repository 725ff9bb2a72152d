//! TLS and mutual TLS on connections that are accepted, with files that may change while the server runs.
//!
//! Certificate, key and the authorities of clients are read from PEM files ([`files`]), again every few seconds, since
//! that is how they are renewed: Kubernetes swaps links, others rename. What differs from what was last tried is tried;
//! if it is no good the old one stays in force, the log says so once, and a metric and a remark until it is mended.
//!
//! Vocabulary: the *fingerprint* is a digest over the contents of the files.
//!
//! Invariants: a connection is decided by what is in force when it is accepted; a handshake ends in time (I7); a
//! session begun under other authorities is not resumed.

mod accept;
mod expiry;
mod files;
mod probe;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use model::time::Civil;
use rustls::ServerConfig;
use tokio::sync::watch;

pub use files::TlsError;
pub use probe::TlsProbe;

use crate::status::{Metric, MetricKind, Sample};
use files::{Contents, Loaded};

/// Where the files are and what is asked of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate and those between it and its authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Certificates of the authorities that clients' certificates must come from; without it clients need none.
    pub client_ca: Option<PathBuf>,
    /// Oldest version of TLS that is spoken.
    pub version_min: TlsVersion,
    /// Longest handshake.
    pub handshake_max: Duration,
    /// Time between two looks at the files.
    pub reload_interval: Duration,
}

/// Versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

/// TLS as it is in force; cheap to clone.
#[derive(Debug, Clone)]
pub struct Tls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    files: TlsFiles,
    in_force: RwLock<InForce>,
    /// The files as they are now are no good, and what is in force is older.
    is_stale: AtomicBool,
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
    handshakes: AtomicU64,
    failed_handshakes: AtomicU64,
}

#[derive(Debug, Clone)]
struct InForce {
    config: Arc<ServerConfig>,
    /// When the certificate ends, in Unix seconds.
    expires: Option<i64>,
}

impl From<Loaded> for InForce {
    fn from(loaded: Loaded) -> InForce {
        InForce { config: loaded.config, expires: loaded.expires }
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`TlsError`]; each is one sentence that names the file.
    pub fn load(files: TlsFiles) -> Result<Tls, TlsError> {
        let loaded = files::load(&files, &Contents::read(&files)?)?;
        Ok(Tls(Arc::new(Shared {
            files,
            in_force: RwLock::new(loaded.into()),
            is_stale: AtomicBool::new(false),
            reloads: AtomicU64::new(0),
            failed_reloads: AtomicU64::new(0),
            handshakes: AtomicU64::new(0),
            failed_handshakes: AtomicU64::new(0),
        })))
    }

    /// Looks after the files until `stopped` says so.
    pub(crate) async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut tried = Contents::read(&self.0.files).map(|contents| contents.fingerprint());
        loop {
            let pause = tokio::time::sleep(self.0.files.reload_interval);
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = pause => {}
            }
            let files = self.0.files.clone();
            // Reading blocks, if only for a moment.
            let Ok(read) = tokio::task::spawn_blocking(move || Contents::read(&files)).await else { continue };
            let found = read.as_ref().map(Contents::fingerprint).map_err(Clone::clone);
            if found != tried {
                tried = found;
                self.replace(read.and_then(|contents| files::load(&self.0.files, &contents)));
            }
        }
    }

    /// Puts what was read in force, or says why it cannot be.
    fn replace(&self, loaded: Result<Loaded, TlsError>) {
        let shared = &self.0;
        shared.is_stale.store(loaded.is_err(), Ordering::Relaxed);
        match loaded {
            Ok(loaded) => {
                let expires = loaded.expires.map(shown);
                tracing::info!(expires, "new TLS files are in force");
                *shared.in_force.write().unwrap_or_else(PoisonError::into_inner) = loaded.into();
                shared.reloads.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::error!(%error, "the TLS files have changed and are no good; the ones before stay in force");
                shared.failed_reloads.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn in_force(&self) -> InForce {
        self.0.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is wrong with the files or will soon be, a sentence each.
    pub fn remarks(&self, now_unix_seconds: i64) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.0.is_stale.load(Ordering::Relaxed) {
            remarks.push("the TLS files are no good, and older ones are in force: the log says why".to_owned());
        }
        match self.in_force().expires {
            Some(expires) if expires <= now_unix_seconds => {
                remarks.push(format!("the TLS certificate ended at {}: renew it", shown(expires)));
            }
            _ => {}
        }
        remarks
    }

    /// Numbers for the status file.
    pub fn metrics(&self) -> Vec<Metric> {
        let shared = &self.0;
        let outcomes = |name: &str, help: &str, good: &AtomicU64, failed: &AtomicU64| Metric {
            name: name.to_owned(),
            help: help.to_owned(),
            kind: MetricKind::Counter,
            samples: [("done", good), ("failed", failed)]
                .map(|(outcome, count)| Sample {
                    labels: [("outcome".to_owned(), outcome.to_owned())].into(),
                    value: count.load(Ordering::Relaxed) as f64,
                })
                .into(),
        };
        let gauge = |name: &str, help: &str, value: f64| Metric::plain(name, help, MetricKind::Gauge, value);
        let mut metrics = vec![
            outcomes("spyhop_tls_handshakes_total", "TLS handshakes.", &shared.handshakes, &shared.failed_handshakes),
            outcomes("spyhop_tls_reloads_total", "TLS files taken anew.", &shared.reloads, &shared.failed_reloads),
            gauge(
                "spyhop_tls_stale",
                "Whether the TLS files are no good and older ones are in force.",
                f64::from(u8::from(shared.is_stale.load(Ordering::Relaxed))),
            ),
        ];
        metrics.extend(self.in_force().expires.map(|expires| {
            gauge("spyhop_tls_certificate_expiry_time_seconds", "When the TLS certificate ends.", expires as f64)
        }));
        metrics
    }
}

fn shown(unix_seconds: i64) -> String {
    let text = Civil::from_unix_nano(unix_seconds.saturating_mul(1_000_000_000)).to_string();
    text.split('.').next().unwrap_or_default().to_owned() + "Z"
}

#[cfg(test)]
mod tests;
