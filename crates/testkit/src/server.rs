//! The shipped binary, running: free loopback ports, a data folder of its own, kills and restarts.

use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::client::Client;
use crate::processes::{self, Process, pause};

/// Longest wait for a server to become ready.
const READY_SECONDS_MAX: u64 = 30;

/// The binary under test: `$SPYHOP_BINARY`, else the one `cargo xtask build` made.
pub fn binary() -> PathBuf {
    std::env::var_os("SPYHOP_BINARY")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/spyhop"), PathBuf::from)
}

/// A loopback port that nobody listens on just now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free port")?.local_addr()?.port())
}

/// What a server is started with.
#[derive(Debug, Clone, Default)]
pub struct ServerSettings {
    /// Environment beside ports and data folder.
    pub environment: Vec<(String, String)>,
    /// Data folder; a temporary one where absent.
    pub data_folder: Option<PathBuf>,
}

impl ServerSettings {
    /// Adds a variable of the environment.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> ServerSettings {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Uses this data folder.
    pub fn data_folder(mut self, folder: &Path) -> ServerSettings {
        self.data_folder = Some(folder.to_owned());
        self
    }
}

/// A `spyhop serve` in a process group of its own. Killed and cleaned away when dropped.
#[derive(Debug)]
pub struct Server {
    settings: ServerSettings,
    folder: TempDir,
    ports: [u16; 3],
    child: Option<Child>,
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub async fn start(settings: ServerSettings) -> Result<Server> {
        let mut server = Server::prepare(settings)?;
        server.launch()?;
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Chooses ports and folder without starting anything.
    pub fn prepare(settings: ServerSettings) -> Result<Server> {
        let folder = tempfile::Builder::new().prefix("spyhop-test-").tempdir().context("no temporary folder")?;
        // All three are held at once, so that they differ.
        let listeners: Vec<TcpListener> =
            (0..3).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<std::io::Result<_>>().context("no free port")?;
        let mut ports = [0; 3];
        for (port, listener) in ports.iter_mut().zip(&listeners) {
            *port = listener.local_addr()?.port();
        }
        Ok(Server { settings, folder, ports, child: None })
    }

    /// Starts the process without waiting for it.
    pub fn launch(&mut self) -> Result<()> {
        let log = self.log_file()?;
        let mut command = self.command(&["serve"]);
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", binary().display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// The binary with this server's settings in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).env_clear();
        for name in ["PATH", "HOME", "LANG", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let [grpc, http, api] = self.ports;
        command
            .env("SPYHOP_DATA_DIR", self.data_folder())
            .env("SPYHOP_OTLP_GRPC_ADDRESS", format!("127.0.0.1:{grpc}"))
            .env("SPYHOP_OTLP_HTTP_ADDRESS", format!("127.0.0.1:{http}"))
            .env("SPYHOP_API_ADDRESS", format!("127.0.0.1:{api}"))
            .env("RUST_BACKTRACE", "1")
            .envs(self.settings.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path());
        command
    }

    /// Waits until both ports say that they are ready.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        let client = self.client();
        loop {
            let ingest = client.get_ingest("/readyz").await;
            let api = client.get("/readyz").await;
            if [&ingest, &api].iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 200)) {
                return Ok(());
            }
            if let Some(status) = self.exited()? {
                bail!("the server ended with {status} instead of becoming ready:\n{}", self.log_tail());
            }
            if begun.elapsed() > Duration::from_secs(READY_SECONDS_MAX) {
                let say = |answer: &Result<crate::Answer>| match answer {
                    Ok(answer) => format!("{} {}", answer.status, answer.text()),
                    Err(error) => format!("{error:#}"),
                };
                bail!(
                    "not ready after {READY_SECONDS_MAX} s: ingest {}, API {}\n{}",
                    say(&ingest),
                    say(&api),
                    self.log_tail()
                );
            }
            pause(20).await;
        }
    }

    /// Kills the whole process group with SIGKILL and waits until it is gone.
    pub fn kill_group(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let family = processes::descendants(child.id());
        processes::kill_group(child.id())?;
        // A child in a group of its own is killed as well: power loss spares nobody.
        for process in family {
            let _ = processes::kill(process.pid);
        }
        child.wait().context("cannot wait for the server")?;
        Ok(())
    }

    /// Kills the child with this role with SIGKILL; false where there is none just now.
    pub fn kill_role(&self, role: &str) -> Result<bool> {
        let Some(process) = self.processes().into_iter().find(|process| process.role() == role) else {
            return Ok(false);
        };
        processes::kill(process.pid).map(|()| true)
    }

    /// Sends SIGTERM and waits for the exit.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        let id = self.child.as_ref().context("the server is not running")?.id();
        processes::terminate(id)?;
        self.wait_for_exit(Duration::from_secs(30)).await
    }

    /// Waits until the server has ended by itself.
    pub async fn wait_for_exit(&mut self, patience: Duration) -> Result<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.exited()? {
                self.child = None;
                return Ok(status);
            }
            if begun.elapsed() > patience {
                bail!("still running after {patience:?}:\n{}", self.log_tail());
            }
            pause(20).await;
        }
    }

    /// Starts again on the same folder and ports.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill_group()?;
        self.launch()?;
        self.wait_until_ready().await
    }

    /// Changes the environment of the next start.
    pub fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.settings.environment = environment;
    }

    /// `spyhop compact --now`: everything acknowledged before is in files when it returns.
    pub async fn compact_now(&self) -> Result<()> {
        let output = self.run(&["compact", "--now"]).await?;
        if !output.status.success() {
            bail!("compact --now: {}\n{}", complaint(&output), self.log_tail());
        }
        Ok(())
    }

    /// Runs the binary with these arguments and this server's settings to its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Output> {
        run_command(self.command(arguments)).await
    }

    /// The supervisor's process id.
    pub fn id(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("the server is not running")?.id())
    }

    /// Supervisor and children, as they are now.
    pub fn processes(&self) -> Vec<Process> {
        self.child.as_ref().map(|child| processes::descendants(child.id())).unwrap_or_default()
    }

    /// A client of this server.
    pub fn client(&self) -> Client {
        let [grpc, http, api] = self.ports;
        Client::new(grpc, http, api)
    }

    /// Ports: OTLP gRPC, OTLP HTTP, API.
    pub fn ports(&self) -> [u16; 3] {
        self.ports
    }

    /// The data folder.
    pub fn data_folder(&self) -> PathBuf {
        self.settings.data_folder.clone().unwrap_or_else(|| self.folder.path().join("data"))
    }

    /// Files below the data folder whose names end so.
    pub fn files(&self, ending: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.data_folder(), ending, &mut found);
        found.sort();
        found
    }

    /// The end of what the server has printed.
    pub fn log_tail(&self) -> String {
        let text = self.log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// All that the server has printed.
    pub fn log(&self) -> String {
        fs::read(self.folder.path().join("spyhop.log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    fn log_file(&self) -> Result<File> {
        let path = self.folder.path().join("spyhop.log");
        OpenOptions::new().create(true).append(true).open(path).context("cannot open the server's log file")
    }

    fn exited(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => child.try_wait().context("cannot look after the server"),
            None => bail!("the server is not running"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's last lines:\n{}", self.log_tail());
        }
        let _ = self.kill_group();
    }
}

/// Runs a command to its end without blocking the test's runtime.
pub async fn run_command(mut command: Command) -> Result<Output> {
    let name = command.get_program().display().to_string();
    let task = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output());
    task.await?.with_context(|| format!("cannot run {name}"))
}

fn complaint(output: &Output) -> String {
    format!("{}: {}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}
