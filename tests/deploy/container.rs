//! The image's files under runc, which is what Docker and Kubernetes start containers with: not root, no capability,
//! read-only root file system, namespaces of its own, so that it may listen where the image says.
//!
//! `cargo xtask image` has gathered the files; the settings are the Dockerfile's own.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Server, ServerSettings, descendants};

use super::dockerfile::Image;
use crate::TestResult;
use crate::e2e::program;

/// Memory of the container, as the chart limits it.
const MEMORY_BYTES: u64 = 1 << 30;
/// Largest image of a release, in bytes.
const IMAGE_BYTES_MAX: u64 = 150 << 20;

/// Calls that Docker's and Kubernetes' default profile refuses, as far as a server might want one of them.
const REFUSED_CALLS: &[&str] = &[
    "bpf",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "keyctl",
    "mount",
    "perf_event_open",
    "pivot_root",
    "ptrace",
    "reboot",
    "setns",
    "swapon",
    "umount2",
    "unshare",
    "userfaultfd",
];

/// The folder that `cargo xtask image` made.
fn image_folder() -> Option<PathBuf> {
    std::env::var_os("SPYHOP_TEST_IMAGE").map(PathBuf::from).filter(|folder| folder.join("root").is_dir())
}

#[test]
fn the_dockerfile_is_clean() -> TestResult {
    let Some(hadolint) = program("SPYHOP_TEST_HADOLINT") else {
        testkit::skip("deploy::container::hadolint", "there is no hadolint");
        return Ok(());
    };
    let output = Command::new(hadolint).arg(super::repository("deploy/container/Dockerfile")).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    let image = Image::read()?;
    assert_eq!((image.base.as_str(), image.user), ("scratch", (65_532, 65_532)));
    assert_eq!((image.ports, image.stop_signal.as_str()), (vec![4317, 4318, 4319], "SIGTERM"));
    assert_eq!(image.volumes, std::slice::from_ref(&image.folder));
    Ok(())
}

#[test]
fn the_image_holds_the_program_and_what_it_needs() -> TestResult {
    let Some(folder) = image_folder() else {
        testkit::skip("deploy::container::files", "the image's files are not gathered");
        return Ok(());
    };
    let root = folder.join("root");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    let mut bytes = 0;
    let mut beside = 0;
    for file in &files {
        let path = format!("/{}", file.strip_prefix(&root)?.display());
        let metadata = fs::metadata(file)?;
        assert_eq!(metadata.permissions().mode() & 0o6000, 0, "{path} has a set-id bit");
        let is_library = path.contains(".so.") && path.starts_with("/usr/lib");
        let is_text =
            ["/etc/", "/usr/share/doc/", "/var/lib/dpkg/status.d/"].iter().any(|place| path.starts_with(place));
        assert!(path == "/usr/bin/spyhop" || is_library || is_text || path.starts_with("/lib"), "{path} is not needed");
        bytes += metadata.len();
        beside += if path == "/usr/bin/spyhop" { 0 } else { metadata.len() };
    }
    assert!(root.join("usr/bin/spyhop").is_file() && root.join("usr/share/doc/spyhop/LICENSE").is_file());
    assert!(beside < 8 << 20, "{beside} bytes beside the program");
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let packed = packed_bytes(&root)?;
    eprintln!(
        "{} files, {:.1} MiB ({:.1} MiB beside the program), {:.1} MiB packed with gzip",
        files.len(),
        mebibytes(bytes),
        mebibytes(beside),
        mebibytes(packed)
    );
    if testkit::binary().ends_with("release/spyhop") {
        assert!(bytes <= IMAGE_BYTES_MAX, "{bytes} bytes");
    }
    Ok(())
}

/// Files, without following links.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// What a registry would store.
fn packed_bytes(root: &Path) -> Result<u64> {
    let mut tar = Command::new("tar")
        .args(["--create", "--gzip", "--directory"])
        .arg(root)
        .arg(".")
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run tar")?;
    let mut packed = tar.stdout.take().context("stdout is piped")?;
    let bytes = std::io::copy(&mut packed, &mut std::io::sink())?;
    tar.wait()?;
    Ok(bytes)
}

/// A container of runc. Killed and deleted when dropped.
struct Container {
    runc: PathBuf,
    /// Its own on this machine, since runc names the control group after it.
    id: String,
    folder: TempDir,
    child: Child,
}

impl Container {
    fn start(runc: &Path, config: &Value) -> Result<Container> {
        let folder = tempfile::Builder::new().prefix("spyhop-container-").tempdir()?;
        fs::write(folder.path().join("config.json"), config.to_string())?;
        let log = File::create(folder.path().join("log"))?;
        let id = format!("spyhop-test-{}", std::process::id());
        let child = runc_command(runc, folder.path())
            .args(["run", "--bundle"])
            .arg(folder.path())
            .arg(&id)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start runc")?;
        Ok(Container { runc: runc.to_owned(), id, folder, child })
    }

    fn runc(&self, arguments: &[&str]) -> Result<Output> {
        runc_command(&self.runc, self.folder.path()).args(arguments).output().context("cannot run runc")
    }

    /// A further process in the container, as `kubectl exec` starts one.
    fn exec(&self, arguments: &[&str]) -> Result<Output> {
        self.runc(&[&["exec", &self.id], arguments].concat())
    }

    /// Process id of the first process, as this machine sees it.
    fn pid(&self) -> Result<u32> {
        let state: Value = serde_json::from_slice(&self.runc(&["state", &self.id])?.stdout)?;
        let pid = state["pid"].as_u64().context("runc says no pid")?;
        Ok(u32::try_from(pid)?)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Sends the image's signal, which must be enough.
    fn stop(&mut self, image: &Image) -> Result<ExitStatus> {
        self.runc(&["kill", &self.id, image.stop_signal.trim_start_matches("SIG")])?;
        self.wait_for_exit(Duration::from_secs(25))
    }

    fn wait_for_exit(&mut self, patience: Duration) -> Result<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > patience {
                bail!("still running after {patience:?}:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.runc(&["delete", "--force", &self.id]);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// runc with its state in this folder, apart from whatever else uses it on the machine.
fn runc_command(runc: &Path, folder: &Path) -> Command {
    let mut command = Command::new(runc);
    command.arg("--root").arg(folder.join("state"));
    command
}

/// What Docker hands to runc for `--read-only --cap-drop ALL --security-opt no-new-privileges --memory 1g`, and
/// Kubernetes for the chart's security context.
fn config(root: &Path, image: &Image, data: Option<&Path>) -> Value {
    let mut mounts = vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc"}),
        json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]}),
        json!({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}),
    ];
    if let Some(data) = data {
        let options = ["rbind", "rw", "nosuid", "nodev", "noexec"];
        mounts.push(json!({"destination": image.volumes[0], "type": "bind", "source": data, "options": options}));
    }
    let environment: Vec<String> = image.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    json!({
        "ociVersion": "1.0.2",
        "hostname": "spyhop",
        "root": {"path": root, "readonly": true},
        "process": {
            "user": {"uid": image.user.0, "gid": image.user.1},
            "args": image.arguments(),
            "env": environment,
            "cwd": image.folder,
            "capabilities": {"bounding": [], "effective": [], "inheritable": [], "permitted": [], "ambient": []},
            "noNewPrivileges": true,
        },
        "mounts": mounts,
        "linux": {
            "namespaces": (["pid", "network", "ipc", "uts", "mount"].map(|kind| json!({"type": kind}))),
            "resources": {"memory": {"limit": MEMORY_BYTES}, "devices": [{"allow": false, "access": "rwm"}]},
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            "seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [
                    {"names": REFUSED_CALLS, "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
                    // Refused as unknown, so that libraries fall back.
                    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
                ],
            },
        },
    })
}

/// Why no container can be made here at all; nothing where it can. That the program cannot be run is no such reason.
fn obstacle(runc: &Path, root: &Path) -> Result<Option<String>> {
    let image = Image { command: vec!["--version".into()], folder: "/".into(), ..Image::read()? };
    let mut probe = Container::start(runc, &config(root, &image, None))?;
    let status = probe.wait_for_exit(Duration::from_secs(20))?;
    let said = probe.log();
    let of_runc = said.contains("run failed") && !said.contains("exec");
    Ok((!status.success() && of_runc).then(|| said.trim().chars().take(200).collect()))
}

/// A volume as Kubernetes prepares one: root's, writable by the group that `fsGroup` names, with what ext4 puts there.
fn volume(image: &Image) -> Result<TempDir> {
    let data = tempfile::Builder::new().prefix("spyhop-volume-").tempdir()?;
    chown(data.path(), Some(0), Some(image.user.1))?;
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o2775))?;
    fs::create_dir(data.path().join("lost+found"))?;
    fs::set_permissions(data.path().join("lost+found"), fs::Permissions::from_mode(0o700))?;
    Ok(data)
}

/// runc and the image's root, where a container can be made; else the test is counted as skipped.
fn runtime(test: &str) -> Result<Option<(PathBuf, PathBuf)>> {
    let skip = |reason: &str| testkit::skip(&format!("deploy::container::{test}"), reason);
    let (Some(folder), Some(runc)) = (image_folder(), program("SPYHOP_TEST_RUNC")) else {
        skip("the image's files are not gathered, or there is no runc");
        return Ok(None);
    };
    if !is_root() {
        skip("only root may make a container with runc");
        return Ok(None);
    }
    let root = folder.join("root");
    if let Some(reason) = obstacle(&runc, &root)? {
        skip(&format!("runc cannot make a container here: {reason}"));
        return Ok(None);
    }
    Ok(Some((runc, root)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_image_runs_without_root_on_a_read_only_root() -> TestResult {
    let Some((runc, root)) = runtime("runs")? else { return Ok(()) };
    let image = Image::read()?;
    let data = volume(&image)?;
    let begun = Instant::now();
    let mut container = Container::start(&runc, &config(&root, &image, Some(data.path())))?;
    wait_until_healthy(&container, &image)?;
    eprintln!("healthy {} ms after runc began", begun.elapsed().as_millis());
    check_what_it_logs(&container);
    check_privileges(&container, &image)?;
    let demo = ["/usr/bin/spyhop", "demo", "--endpoint", "http://127.0.0.1:4318", "--history-minutes", "1"];
    let sent = container.exec(&[&demo[..], &["--seconds", "2"]].concat())?;
    assert!(sent.status.success(), "{}\n{}", String::from_utf8_lossy(&sent.stderr), container.log());
    let compacted = container.exec(&["/usr/bin/spyhop", "compact", "--now"])?;
    assert!(compacted.status.success(), "{}\n{}", String::from_utf8_lossy(&compacted.stderr), container.log());
    say_memory(container.pid()?);
    let begun = Instant::now();
    let status = container.stop(&image)?;
    assert!(status.success(), "{status}\n{}", container.log());
    eprintln!("ended {} ms after {}", begun.elapsed().as_millis(), image.stop_signal);
    // The volume holds what was sent, and the user's files alone.
    let server = Server::start(ServerSettings::default().data_folder(data.path())).await?;
    let spans = server.client().sql_count("select count(*) from spans").await?;
    let logs = server.client().sql_count("select count(*) from logs").await?;
    assert!(spans > 100 && logs > 100, "{spans} spans and {logs} log records");
    Ok(())
}

/// OpenShift chooses a user that no file knows, in the group of root, and gives it the volume by a further group.
#[test]
fn the_image_runs_as_a_user_that_it_does_not_know() -> TestResult {
    const CHOSEN: u32 = 1_000_680_000;
    let Some((runc, root)) = runtime("any_user")? else { return Ok(()) };
    let image = Image { user: (CHOSEN, CHOSEN), ..Image::read()? };
    let data = volume(&image)?;
    let mut config = config(&root, &image, Some(data.path()));
    config["process"]["user"] = json!({"uid": CHOSEN, "gid": 0, "additionalGids": [CHOSEN]});
    let mut container = Container::start(&runc, &config)?;
    wait_until_healthy(&container, &image)?;
    let status = container.stop(&image)?;
    assert!(status.success(), "{status}\n{}", container.log());
    Ok(())
}

fn wait_until_healthy(container: &Container, image: &Image) -> Result<()> {
    let health: Vec<&str> = image.health.iter().map(String::as_str).collect();
    let begun = Instant::now();
    loop {
        let output = container.exec(&health)?;
        if output.status.success() {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(30) {
            bail!("not healthy: {}\n{}", String::from_utf8_lossy(&output.stderr), container.log());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn check_what_it_logs(container: &Container) {
    let log = container.log();
    let line = |words: &str| log.lines().find(|line| line.contains(words)).map(str::to_owned).unwrap_or_default();
    for address in ["0.0.0.0:4317", "0.0.0.0:4318", "0.0.0.0:4319"] {
        assert!(line("\"listening\"").contains(address), "{log}");
    }
    assert!(line("authentication is off").contains("WARN"), "{log}");
    let is_json = |line: &str| serde_json::from_str::<Value>(line).is_ok();
    assert!(log.lines().all(is_json), "every line is JSON:\n{log}");
}

fn check_privileges(container: &Container, image: &Image) -> Result<()> {
    let pid = container.pid()?;
    let family = descendants(pid);
    assert_eq!(family.len(), 4, "supervisor and three roles: {family:?}");
    for process in &family {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let user = format!("{0} {0} {0} {0}", image.user.0);
        assert_eq!((field("Uid:"), field("Gid:")), (user.clone(), user), "{}", process.command);
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(field(set), "0000000000000000", "{set} of {}", process.command);
        }
        assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1".into(), "2".into()), "{}", process.command);
    }
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo"))?;
    let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).context("a root is mounted")?;
    let options = root.split(' ').nth(5).unwrap_or_default();
    assert!(options.split(',').any(|option| option == "ro"), "{root}");
    let writable: Vec<&str> = mounts
        .lines()
        .filter(|line| line.split(' ').nth(5).is_some_and(|options| options.split(',').any(|option| option == "rw")))
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|place| !place.starts_with("/proc") && !place.starts_with("/dev"))
        .collect();
    assert_eq!(writable, [image.volumes[0].as_str()], "all that can be written");
    Ok(())
}

fn say_memory(pid: u32) {
    let family = descendants(pid);
    let bytes: u64 = family.iter().map(|process| process.rss_anon_bytes).sum();
    eprintln!("{} processes, {:.0} MiB of anonymous memory", family.len(), bytes as f64 / f64::from(1 << 20));
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    uid.split_whitespace().nth(1) == Some("0")
}
