//! The senders: which there are, and how each is started.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use testkit::{Relay, Server};

use super::collector::Feed;
use crate::e2e::program;

/// Longest time a client may take to end once it has made everything: exporters try for ten seconds or so, signal by
/// signal, and then give up.
const END_PATIENCE: Duration = Duration::from_secs(90);

/// What a sender is to send.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Spans, and as many log records, one by one.
    pub records: u32,
    /// Data points of every metrics export.
    pub points: u32,
    /// How long it takes to make the records.
    pub seconds: u32,
    /// Milliseconds between metrics exports.
    pub metric_interval: u32,
}

/// A client with one of its exporters.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    /// Service name of what it sends, and what it is called in tables.
    pub name: &'static str,
    program: Program,
    /// The exporter, as the program calls it.
    exporter: &'static str,
}

/// What runs a sender.
#[derive(Debug, Clone, Copy)]
enum Program {
    Python,
    Node,
    Rust,
    Java,
    Collector,
}

const fn sender(name: &'static str, program: Program, exporter: &'static str) -> Sender {
    Sender { name, program, exporter }
}

/// Every sender.
pub const SENDERS: [Sender; 13] = [
    sender("python-grpc", Program::Python, "grpc"),
    sender("python-http", Program::Python, "http"),
    sender("python-json", Program::Python, "json"),
    sender("node-json", Program::Node, "http"),
    sender("node-http", Program::Node, "proto"),
    sender("node-grpc", Program::Node, "grpc"),
    sender("rust-grpc", Program::Rust, "grpc"),
    sender("rust-http", Program::Rust, "http"),
    sender("rust-json", Program::Rust, "json"),
    sender("java-grpc", Program::Java, "grpc"),
    sender("java-http", Program::Java, "http/protobuf"),
    sender("collector-grpc", Program::Collector, "otlp_grpc"),
    sender("collector-http", Program::Collector, "otlp_http"),
];

impl Program {
    /// The command up to the exporter's name; nothing where it could not be installed.
    fn command(self) -> Option<Command> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let script = |variable: &str, path: &str| {
            let mut command = Command::new(program(variable)?);
            command.arg(folder.join(path));
            Some(command)
        };
        match self {
            Program::Python => script("SPYHOP_TEST_CLIENTS_PYTHON", "python/send.py"),
            Program::Node => {
                script("SPYHOP_TEST_NODE", "node/send.js").filter(|_| folder.join("node/node_modules").is_dir())
            }
            Program::Rust => program("SPYHOP_TEST_CLIENTS_RUST").map(Command::new),
            Program::Java => {
                let jars = env::var_os("SPYHOP_TEST_CLIENTS_JAVA").map(PathBuf::from).filter(|jars| jars.is_dir())?;
                let mut command = Command::new("java");
                // Quick to start rather than quick for long: it lives for seconds.
                command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
                command.arg(jars.join("*")).arg(folder.join("java/Send.java"));
                Some(command)
            }
            Program::Collector => {
                let mut command = Command::new(program("SPYHOP_TEST_COLLECTOR")?);
                command.arg("--config").arg(folder.join("collector/config.yaml"));
                Some(command)
            }
        }
    }
}

/// A sender at work, with its relay. Ended with the test.
pub struct Running {
    pub sender: Sender,
    pub relay: Relay,
    child: Child,
    /// What is sent to a Collector, which makes nothing itself.
    feed: Option<Feed>,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts every sender there is; the others are noted as skipped under the name of the test.
    pub async fn start_all(server: &Server, load: Load, logs: &Path, test: &str) -> Result<Vec<Running>> {
        let mut running = Vec::new();
        for sender in SENDERS {
            match sender.program.command() {
                Some(command) => running.push(Running::start(sender, command, server, load, logs).await?),
                None => testkit::skip(&format!("{test} ({})", sender.name), "this client could not be installed here"),
            }
        }
        Ok(running)
    }

    async fn start(sender: Sender, mut command: Command, server: &Server, load: Load, logs: &Path) -> Result<Running> {
        let [grpc, http, _] = server.ports();
        let relay = Relay::to(grpc, http).await?;
        let [grpc, http] = relay.ports();
        let is_grpc = sender.name.ends_with("grpc");
        let log = logs.join(format!("{}.log", sender.name));
        let file = File::create(&log).context("cannot make the log of a client")?;
        let feed = match sender.program {
            Program::Collector => Some(Feed::new(sender.name, load)?),
            _ => None,
        };
        match (&feed, sender.program) {
            (Some(feed), _) => {
                command
                    .env("COLLECTOR_ADDRESS", feed.address())
                    .env("COLLECTOR_GRPC_TARGET", format!("127.0.0.1:{grpc}"))
                    .env("COLLECTOR_EXPORTER", sender.exporter);
            }
            (None, Program::Java) => drop(command.env("OTEL_EXPORTER_OTLP_PROTOCOL", sender.exporter)),
            (None, _) => drop(command.arg(sender.exporter)),
        }
        let child = command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}", if is_grpc { grpc } else { http }))
            .env("OTEL_EXPORTER_OTLP_INSECURE", "true")
            .env("OTEL_SERVICE_NAME", sender.name)
            .env("OTEL_BSP_SCHEDULE_DELAY", "200")
            .env("OTEL_BLRP_SCHEDULE_DELAY", "200")
            .env("OTEL_METRIC_EXPORT_INTERVAL", load.metric_interval.to_string())
            .env("CLIENT_RECORDS", load.records.to_string())
            .env("CLIENT_POINTS", load.points.to_string())
            .env("CLIENT_SECONDS", load.seconds.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", sender.name))?;
        let feed = feed.map(Feed::start);
        Ok(Running { sender, relay, child, feed, log })
    }

    /// Waits until the sender has sent what it has and ended.
    pub async fn finish(&mut self) -> Result<()> {
        if let Some(feed) = &mut self.feed {
            feed.finish(&self.relay).await.with_context(|| self.complaint())?;
            testkit::terminate(self.child.id())?;
        }
        let begun = Instant::now();
        loop {
            match self.child.try_wait().context("cannot look after a client")? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{} ended with {status}: {}", self.sender.name, self.complaint()),
                None if begun.elapsed() > END_PATIENCE => {
                    bail!("{} does not end: {}", self.sender.name, self.complaint())
                }
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// The end of what it has printed.
    pub fn complaint(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(3_000)..]).into_owned()
    }
}
