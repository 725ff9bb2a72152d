//! A program that we started and stand in for.
//!
//! Signals that are sent to us go on to it, and every child that ends is waited for: where we are process 1 of a
//! container, orphans become our children.

use std::process::{ChildStderr, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpgrp, kill_process, wait};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

use crate::failure::Failure;

/// Exit code of a shell for a program that is not there.
const CODE_NOT_FOUND: u8 = 127;
/// Exit code of a shell for a program that cannot be run.
const CODE_CANNOT_RUN: u8 = 126;

/// Signals that go on to the program.
const FORWARDED: [(SignalKind, Signal); 6] = [
    (SignalKind::terminate(), Signal::TERM),
    (SignalKind::interrupt(), Signal::INT),
    (SignalKind::hangup(), Signal::HUP),
    (SignalKind::quit(), Signal::QUIT),
    (SignalKind::user_defined1(), Signal::USR1),
    (SignalKind::user_defined2(), Signal::USR2),
];

/// The program while it runs.
pub(super) struct RunningChild {
    pid: Pid,
    ended: Signals,
    forwarded: Vec<(Signals, Signal)>,
}

/// Its two streams.
pub(super) struct Streams {
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl RunningChild {
    /// Starts the program with our stdin and environment. To be called within a runtime.
    pub(super) fn start(program: &[String]) -> Result<(RunningChild, Streams), Failure> {
        let (name, arguments) = program.split_first().ok_or_else(|| Failure::usage("name a program after --"))?;
        let listen = |kind| signal(kind).map_err(|error| Failure::new(format!("cannot listen for signals: {error}")));
        // Before the program starts, so that no end is missed.
        let ended = listen(SignalKind::child())?;
        let forwarded =
            FORWARDED.into_iter().map(|(kind, number)| Ok((listen(kind)?, number))).collect::<Result<_, Failure>>()?;
        let started = Command::new(name).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| Failure {
            sentence: format!("cannot run '{name}': {error}"),
            code: if error.kind() == std::io::ErrorKind::NotFound { CODE_NOT_FOUND } else { CODE_CANNOT_RUN },
        })?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        match (pid, child.stdout.take(), child.stderr.take()) {
            (Some(pid), Some(stdout), Some(stderr)) => {
                Ok((RunningChild { pid, ended, forwarded }, Streams { stdout, stderr }))
            }
            _ => Err(Failure::new(format!("'{name}' was started without its streams"))),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for its end, passing signals on meanwhile, and returns the exit code: its own, or 128 and the signal that
    /// ended it, as shells have it.
    pub(super) async fn wait(&mut self) -> u8 {
        loop {
            if let Some(code) = self.reap() {
                return code;
            }
            let (ended, forwarded) = (&mut self.ended, &mut self.forwarded);
            let arrived = std::future::poll_fn(|context| {
                if ended.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(None);
                }
                match forwarded
                    .iter_mut()
                    .find_map(|(signals, number)| signals.poll_recv(context).is_ready().then_some(*number))
                {
                    Some(number) => std::task::Poll::Ready(Some(number)),
                    None => std::task::Poll::Pending,
                }
            })
            .await;
            if let Some(number) = arrived.filter(|number| !reaches_the_child_anyway(*number)) {
                // It may have ended just now.
                let _ = kill_process(self.pid, number);
            }
        }
    }

    /// Ready at the next signal that asks us to end.
    pub(super) async fn asked_to_end(&mut self) {
        std::future::poll_fn(|context| {
            let ready = self.forwarded.iter_mut().any(|(signals, number)| {
                signals.poll_recv(context).is_ready() && matches!(*number, Signal::TERM | Signal::INT | Signal::QUIT)
            });
            if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    /// Waits for every child that has ended; the code of the program if it is among them.
    fn reap(&self) -> Option<u8> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.pid => {
                    if let Some(code) = code_of(status) {
                        return Some(code);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(rustix::io::Errno::INTR) => {}
                // There is no child at all: somebody else has waited for it.
                Err(_) => return Some(crate::failure::CODE_FAILED),
            }
        }
    }
}

fn code_of(status: WaitStatus) -> Option<u8> {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal))?;
    u8::try_from(code & 0xff).ok()
}

/// Ctrl-C and Ctrl-\ go to every process in the terminal's foreground; passed on, they would arrive twice, and many
/// programs take the second for impatience.
fn reaches_the_child_anyway(signal: Signal) -> bool {
    if !matches!(signal, Signal::INT | Signal::QUIT) {
        return false;
    }
    // The foreground group of our terminal is the sixth field behind the name, which is in parentheses; -1 without one.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let foreground = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(5)?.parse::<i32>().ok());
    foreground == Some(getpgrp().as_raw_nonzero().get())
}
