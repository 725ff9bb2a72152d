//! The supervisor: opens the listeners, starts one child process a role, restarts what dies, ends what is left.
//!
//! Its children read their settings from the first line of their standard input and watch the rest of it: when the
//! supervisor is gone, by whatever signal, they see its end and leave at once. Listeners stay open here, so that
//! clients of a role that is being restarted wait instead of being refused. A crash is restarted with back-off; a
//! role that says that it cannot start ends everything at its first start, and is tried again later on.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use command_fds::CommandFdExt;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::failure::{CODE_CANNOT_START, CODE_FAILED, Failure};
use crate::listeners::Sockets;
use crate::roles::Role;
use crate::settings::{Resolved, Settings};
use crate::signals::Shutdown;
use crate::{listeners, logging, start};

/// Longest wait before a restart.
const BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// A child that lived this long starts its back-off anew.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);
/// What children get beyond their own grace before they are killed.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// What every child is started with.
struct Shared {
    settings_line: String,
    grace: Duration,
}

/// Runs all roles until a signal asks for the end.
pub(crate) fn run(resolved: &Resolved, settings: &Settings) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(supervise(resolved, settings))
}

async fn supervise(resolved: &Resolved, settings: &Settings) -> Result<(), Failure> {
    let shutdown = Shutdown::listen()?;
    // Children read the files themselves; here they are only found to be good or not, in one sentence.
    start::load_tls(settings)?;
    start::prepare_data_folder(settings).await?;
    let ingest = listeners::open_ingest(settings)?;
    let query = listeners::open_query(settings)?;
    start::announce(settings, &ingest, &query);
    let shared = Arc::new(Shared { settings_line: resolved.to_line(), grace: settings.shutdown_grace });
    let (stop, stopped) = watch::channel(Stop::Run);
    let mut roles = JoinSet::new();
    for (role, sockets) in [(Role::Ingest, ingest), (Role::Query, query), (Role::Compact, Sockets::default())] {
        roles.spawn(keep_running(role, sockets, shared.clone(), stopped.clone()));
    }
    drop(stopped);
    let mut failure = None;
    let mut shutdown = shutdown;
    while !roles.is_empty() {
        tokio::select! {
            ended = roles.join_next() => {
                if let Some(Ok(Err(error))) = ended {
                    failure.get_or_insert(error);
                    stop.send_replace(Stop::Drain);
                }
            }
            () = shutdown.signal() => {
                let next = if *stop.borrow() == Stop::Run { Stop::Drain } else { Stop::Kill };
                tracing::info!(immediately = next == Stop::Kill, "stopping");
                stop.send_replace(next);
            }
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => {
            logging::print_to_terminal("Spyhop has stopped.\n");
            Ok(())
        }
    }
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Run,
    Drain,
    Kill,
}

async fn keep_running(
    role: Role,
    sockets: Sockets,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<Stop>,
) -> Result<(), Failure> {
    let mut failures = 0;
    let mut was_started = false;
    while *stopped.borrow() == Stop::Run {
        let begun = Instant::now();
        let status = match spawn(role, &sockets, &shared).await {
            Ok((mut child, stdin)) => {
                tracing::debug!(%role, pid = child.id(), "started");
                let status = tokio::select! {
                    status = child.wait() => Some(status),
                    _ = stopped.wait_for(|stop| *stop != Stop::Run) => None,
                };
                let Some(status) = status else {
                    end(role, child, &shared, &mut stopped).await;
                    return Ok(());
                };
                drop(stdin);
                status
            }
            Err(error) => Err(error),
        };
        let lived = begun.elapsed();
        match next(status.as_ref().ok().and_then(ExitStatus::code), lived, was_started, failures) {
            // The role has said why, in a sentence of its own.
            Next::GiveUp => return Err(Failure { sentence: String::new(), code: CODE_FAILED }),
            Next::Restart { after, failures: count } => {
                let ended = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                tracing::error!(%role, %ended, restart_ms = after.as_millis() as u64, "a role ended; it is restarted");
                failures = count;
                let _ = tokio::time::timeout(after, stopped.wait_for(|stop| *stop != Stop::Run)).await;
            }
        }
        was_started = true;
    }
    Ok(())
}

/// What follows the end of a child that nobody asked to end.
#[derive(Debug, PartialEq)]
enum Next {
    GiveUp,
    Restart { after: Duration, failures: u32 },
}

/// Decides it: `code` is the exit code, `failures` counts the short lives before this one.
fn next(code: Option<i32>, lived: Duration, was_started: bool, failures: u32) -> Next {
    if code == Some(i32::from(CODE_CANNOT_START)) && !was_started {
        return Next::GiveUp;
    }
    let failures = if lived >= HEALTHY_AFTER { 0 } else { failures };
    let after = Duration::from_millis(100).saturating_mul(1 << failures.min(10)).min(BACK_OFF_MAX);
    Next::Restart { after, failures: failures + 1 }
}

/// How long mimalloc keeps memory that was freed, in milliseconds, and the variable it reads that from. Buffers of
/// commits and files come and go several times a second: at its own 10 ms each is given back to the system and
/// cleared again, which cost a quarter of the CPU time of compaction. Idle processes still give it back.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";
const PURGE_DELAY_MS: &str = "1000";

/// Starts a child. Its standard input is not kept in the [`Child`], whose `wait` would close it: the end of the pipe
/// tells the child that the supervisor is gone.
async fn spawn(role: Role, sockets: &Sockets, shared: &Shared) -> std::io::Result<(Child, ChildStdin)> {
    let mappings = listeners::mappings(sockets)?;
    // The executable that runs now, even where a new version has been put in its place.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("spyhop")
        .args(["serve", "--role", role.name()])
        .env("SPYHOP_SUPERVISED", "1")
        .env("LISTEN_FDS", mappings.len().to_string())
        .env_remove("LISTEN_PID")
        .env_remove("LISTEN_FDNAMES")
        .stdin(Stdio::piped());
    if std::env::var_os(PURGE_DELAY).is_none() {
        command.env(PURGE_DELAY, PURGE_DELAY_MS);
    }
    command.fd_mappings(mappings).map_err(std::io::Error::other)?;
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
    stdin.write_all(shared.settings_line.as_bytes()).await?;
    Ok((child, stdin))
}

/// Asks a child to end, waits for its grace, then kills it. Its standard input must stay open meanwhile.
async fn end(role: Role, mut child: Child, shared: &Shared, stopped: &mut watch::Receiver<Stop>) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
        let _ = kill_process(pid, Signal::TERM);
    }
    let drained = tokio::select! {
        status = child.wait() => Some(status),
        () = tokio::time::sleep(shared.grace + KILL_AFTER) => None,
        _ = stopped.wait_for(|stop| *stop == Stop::Kill) => None,
    };
    match drained {
        // A child that had not begun to listen for the signal when it came has nothing in flight.
        Some(Ok(status)) if !status.success() && status.signal() != Some(Signal::TERM.as_raw()) => {
            tracing::warn!(%role, %status, "a role did not end cleanly")
        }
        Some(_) => {}
        None => {
            tracing::warn!(%role, "a role did not end in time and is killed");
            let _ = child.kill().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_are_followed_by_restarts() {
        let check = |code, lived_seconds, was_started, failures, expect| {
            assert_eq!(next(code, Duration::from_secs(lived_seconds), was_started, failures), expect);
        };
        let restart = |milliseconds, failures| Next::Restart { after: Duration::from_millis(milliseconds), failures };
        check(Some(3), 1, false, 0, Next::GiveUp);
        check(Some(3), 1, true, 0, restart(100, 1));
        check(None, 1, false, 0, restart(100, 1));
        check(Some(101), 1, true, 3, restart(800, 4));
        check(None, 1, true, 60, restart(10_000, 61));
        check(None, 31, true, 60, restart(100, 1));
        check(Some(0), 1, true, 0, restart(100, 1));
    }
}
