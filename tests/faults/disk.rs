//! A full disk refuses in a way that clients retry, and loses nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::{Logs, Patience, Payload, Server, ServerSettings, Signal, now_unix_nano};

use crate::TestResult;

/// A tmpfs that goes away with the test.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// A disk of so many megabytes; nothing where we may not mount.
    pub fn mount(megabytes: u32) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().ok()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(SmallDisk(folder))
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_retryably_and_recovers() -> TestResult {
    let Some(disk) = SmallDisk::mount(400) else {
        testkit::skip("faults::disk", "mounting a small tmpfs needs root");
        return Ok(());
    };
    let settings = ServerSettings::default()
        .data_folder(&disk.path().join("data"))
        .with("SPYHOP_JOURNAL_DISK_RESERVE_BYTES", "64MiB");
    let mut server = Server::start(settings).await?;
    let client = server.client();
    let mut logs = Logs::new(71, now_unix_nano());
    assert_eq!(client.send(&Payload::protobuf(Signal::Logs, &logs.request(100))).await?.status, 200);
    let ballast = disk.path().join("ballast");
    fill(&ballast);
    let mut acknowledged = 100;
    let mut refused = None;
    // Preallocated segments take what was promised to them; the free space is looked at every second or so.
    for _ in 0..1_500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let payload = Payload::protobuf(Signal::Logs, &logs.request(100));
        let answer = client.send(&payload).await?;
        if answer.status.is_success() {
            acknowledged += 100;
            continue;
        }
        refused = Some((answer, payload));
        break;
    }
    let Some((answer, payload)) = refused else { panic!("a full disk took everything") };
    assert!([429, 503].contains(&answer.status.as_u16()), "not retryable: {}", answer.status);
    assert!(answer.header("retry-after").is_some(), "no Retry-After: {:?}", answer.headers);
    assert_eq!(client.sql_count("select count(*) from logs").await?, acknowledged, "queries go on");
    fs::remove_file(&ballast)?;
    let freed = Instant::now();
    let patience = Patience { total: Duration::from_secs(30), ..Patience::default() };
    client.send_until_acknowledged(&payload, patience).await?;
    eprintln!("acknowledged again {:.1?} after there was space", freed.elapsed());
    assert_eq!(client.sql_count("select count(*) from logs").await?, acknowledged + 100);
    server.restart().await?;
    server.compact_now().await?;
    assert_eq!(client.sql_count("select count(*) from logs").await?, acknowledged + 100);
    Ok(())
}

/// Takes all the space there is.
pub fn fill(ballast: &Path) {
    let mut size = 1 << 20;
    let mut file = fs::File::create(ballast).expect("a file on the small disk");
    while size > 0 {
        let chunk = vec![0xa5; size];
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
        size /= 4;
    }
}
