//! Processes as `/proc` shows them: whose child, what it costs, and how to kill it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};

/// One process at one moment.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's id.
    pub parent: u32,
    /// Its command line, arguments joined by spaces.
    pub command: String,
    /// CPU time in user and system mode so far, in seconds, children that were waited for included.
    pub cpu_seconds: f64,
    /// Anonymous memory in RAM, in bytes.
    pub rss_anon_bytes: u64,
}

impl Process {
    /// The role of a Spyhop process: what follows `--role`, or `supervisor`.
    pub fn role(&self) -> &str {
        let mut words = self.command.split([' ', '=']);
        words.find(|word| *word == "--role").and_then(|_| words.next()).unwrap_or("supervisor")
    }
}

/// Ticks of `/proc/<pid>/stat` in a second; fixed at 100 for user space on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The process and everything below it.
pub fn descendants(root: u32) -> Vec<Process> {
    let all: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .collect();
    let mut family = vec![root];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        family.extend(all.iter().filter(|process| process.parent == parent).map(|process| process.pid));
        at += 1;
    }
    all.into_iter().filter(|process| family.contains(&process.pid)).collect()
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold spaces and parentheses.
    let fields: Vec<&str> = stat[stat.rfind(')')? + 2..].split(' ').collect();
    // From the third field on: state, parent, …; utime, stime, cutime, cstime are fields 14 to 17.
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let rss_anon_kib = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .map_or(0, |rest| rest.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0_u64));
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        command: String::from_utf8_lossy(&command).replace('\0', " ").trim_end().to_owned(),
        cpu_seconds: ticks / TICKS_PER_SECOND,
        rss_anon_bytes: rss_anon_kib * 1024,
    })
}

/// SIGKILL for one process.
pub fn kill(pid: u32) -> Result<()> {
    let pid = Pid::from_raw(pid as i32).context("0 is no process")?;
    kill_process(pid, Signal::KILL).context("cannot kill the process")
}

/// SIGKILL for a whole process group.
pub fn kill_group(leader: u32) -> Result<()> {
    let pid = Pid::from_raw(leader as i32).context("0 is no process group")?;
    kill_process_group(pid, Signal::KILL).context("cannot kill the process group")
}

/// SIGTERM for one process.
pub fn terminate(pid: u32) -> Result<()> {
    let pid = Pid::from_raw(pid as i32).context("0 is no process")?;
    kill_process(pid, Signal::TERM).context("cannot stop the process")
}

/// The process group of a process.
pub fn process_group(pid: u32) -> Option<u32> {
    let group = getpgid(Pid::from_raw(pid as i32)).ok()?;
    u32::try_from(group.as_raw_nonzero().get()).ok()
}

/// Waits.
pub(crate) async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
