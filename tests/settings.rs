//! What is set up wrongly gives one clear sentence and a non-zero exit, and touches nothing.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Output;

use testkit::{Server, ServerSettings, run_command};

use crate::TestResult;

/// A user that owns nothing.
const NOBODY: u32 = 65_534;

/// What a failed start said: a non-zero exit and few lines, one of them with all these words.
fn assert_clear(output: &Output, words: &[&str]) {
    assert!(!output.status.success(), "exit {}", output.status);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let clear = said.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(clear, "no line with {words:?} in:\n{said}");
    assert!(!said.contains("panicked at"), "{said}");
    assert!(said.lines().count() <= 12, "one sentence, not this:\n{said}");
}

async fn failed_start(settings: ServerSettings) -> anyhow::Result<(Server, Output)> {
    let server = Server::prepare(settings)?;
    let started = server.run(&["serve"]);
    let output = tokio::time::timeout(std::time::Duration::from_secs(20), started).await??;
    Ok((server, output))
}

#[tokio::test]
async fn a_setting_that_is_no_value_is_named() -> TestResult {
    let settings = ServerSettings::default().with("SPYHOP_API_ADDRESS", "over there");
    let (_, output) = failed_start(settings).await?;
    assert_clear(&output, &["SPYHOP_API_ADDRESS", "over there"]);
    Ok(())
}

#[tokio::test]
async fn a_setting_that_does_not_exist_is_named() -> TestResult {
    let (_, output) = failed_start(ServerSettings::default().with("SPYHOP_DATTA_DIR", "/tmp/x")).await?;
    assert_clear(&output, &["SPYHOP_DATTA_DIR"]);
    Ok(())
}

#[tokio::test]
async fn a_port_in_use_is_named() -> TestResult {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let settings = ServerSettings::default().with("SPYHOP_OTLP_GRPC_ADDRESS", address.clone());
    let (_, output) = failed_start(settings).await?;
    assert_clear(&output, &[&address, "taken", "SPYHOP_OTLP_GRPC_ADDRESS"]);
    Ok(())
}

#[tokio::test]
async fn a_data_folder_of_a_newer_release_is_left_alone() -> TestResult {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("VERSION"), "99\n")?;
    let (_, output) = failed_start(ServerSettings::default().data_folder(folder.path())).await?;
    assert_clear(&output, &["99", "newer"]);
    let left: Vec<_> = fs::read_dir(folder.path())?.filter_map(Result::ok).map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["VERSION"], "the folder was touched");
    Ok(())
}

#[tokio::test]
async fn files_without_a_catalog_are_refused() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let request = testkit::Logs::new(81, testkit::now_unix_nano()).request(10);
    client.send(&testkit::Payload::protobuf(testkit::Signal::Logs, &request)).await?;
    server.compact_now().await?;
    server.kill_group()?;
    for file in server.files("") {
        if file.to_string_lossy().contains("catalog.sqlite") {
            fs::remove_file(file)?;
        }
    }
    let output = server.run(&["serve"]).await?;
    assert_clear(&output, &["spyhop catalog rebuild"]);
    Ok(())
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_named() -> TestResult {
    let folder = tempfile::tempdir()?;
    let root = is_root();
    if !root {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500))?;
        let (_, output) = failed_start(ServerSettings::default().data_folder(folder.path())).await?;
        assert_clear(&output, &[&folder.path().to_string_lossy(), "ermission"]);
        return Ok(());
    }
    // Permissions do not bind root, so the server runs as somebody else, from a place everybody can read.
    let place = tempfile::tempdir()?;
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755))?;
    let binary = place.path().join("spyhop");
    fs::copy(testkit::binary(), &binary)?;
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
    let server = Server::prepare(ServerSettings::default().data_folder(folder.path()))?;
    let prepared = server.command(&["serve"]);
    let mut command = std::process::Command::new(&binary);
    command.arg("serve").current_dir("/").uid(NOBODY).gid(NOBODY);
    for (name, value) in prepared.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let output = run_command(command).await?;
    assert_clear(&output, &[&folder.path().to_string_lossy(), "ermission"]);
    Ok(())
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() -> TestResult {
    let first = Server::start(ServerSettings::default()).await?;
    let (_, output) = failed_start(ServerSettings::default().data_folder(&first.data_folder())).await?;
    assert_clear(&output, &["another"]);
    assert_eq!(first.client().get("/readyz").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn version_and_settings_are_shown() -> TestResult {
    let server = Server::prepare(ServerSettings::default())?;
    let version = server.run(&["--version"]).await?;
    assert!(version.status.success());
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("spyhop "), "{version:?}");
    let shown = server.run(&["config", "show"]).await?;
    assert!(shown.status.success(), "{shown:?}");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let folder = server.data_folder().to_string_lossy().into_owned();
    let line = shown.lines().find(|line| line.contains(&folder)).unwrap_or_default();
    assert!(line.contains("SPYHOP_DATA_DIR"), "says where it came from: {line:?} in\n{shown}");
    Ok(())
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    uid.split_whitespace().nth(1) == Some("0")
}
