//! The yardstick: an OpenTelemetry Collector that receives the same bytes and throws them away.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use tempfile::TempDir;

use crate::meter::Meter;
use crate::replay;

/// What receiving and dropping cost.
#[derive(Debug, Clone, Copy)]
pub struct Dropped {
    /// CPU-seconds of the Collector.
    pub cpu_seconds: f64,
    /// Seconds on the clock.
    pub seconds: f64,
}

/// A running Collector; killed when dropped.
struct Collector {
    child: Child,
    _folder: TempDir,
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the requests to a new Collector.
pub fn measure(binary: &Path, connections: usize, requests: Arc<Vec<Bytes>>) -> Result<Dropped> {
    let port = testkit::free_port()?;
    let collector = start(binary, port)?;
    let meter = Meter::start(collector.child.id());
    let cpu = || meter.sample().cpu_seconds.values().sum::<f64>();
    let before = cpu();
    let began = Instant::now();
    replay::send_all(port, connections, requests).context("sending to the Collector")?;
    Ok(Dropped { cpu_seconds: cpu() - before, seconds: began.elapsed().as_secs_f64() })
}

fn start(binary: &Path, port: u16) -> Result<Collector> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let config = folder.path().join("collector.yaml");
    std::fs::write(&config, configuration(port)).context("cannot write the Collector's configuration")?;
    let child = Command::new(binary)
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start the Collector {}", binary.display()))?;
    let mut collector = Collector { child, _folder: folder };
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            thread::sleep(Duration::from_millis(500));
            return Ok(collector);
        }
        if let Some(status) = collector.child.try_wait()? {
            bail!("the Collector ended at once: {status}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("the Collector does not listen")
}

fn configuration(port: u16) -> String {
    let pipelines: String = ["traces", "logs", "metrics"]
        .map(|signal| format!("    {signal}: {{receivers: [otlp], exporters: [nop]}}\n"))
        .concat();
    format!(
        "receivers:\n  otlp:\n    protocols:\n      http:\n        endpoint: 127.0.0.1:{port}\nexporters:\n  nop:\n\
         service:\n  telemetry:\n    metrics: {{level: none}}\n    logs: {{level: error}}\n  pipelines:\n{pipelines}"
    )
}
