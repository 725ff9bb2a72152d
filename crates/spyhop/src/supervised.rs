//! A role's side of the supervisor: settings and listeners are inherited, and its end is ours.

use std::io::{BufRead, Read};

use crate::failure::{CODE_FAILED, Failure};
use crate::listeners::{self, Sockets};
use crate::settings::Resolved;

/// Whether this process was started by a supervisor.
pub(crate) fn is_supervised() -> bool {
    std::env::var_os("SPYHOP_SUPERVISED").is_some()
}

/// Takes over what the supervisor hands down, and begins to watch it. To be called first, before any other thread.
pub(crate) fn inherit() -> Result<(Resolved, Sockets), Failure> {
    let sockets = listeners::inherited()?;
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::usage(format!("the supervisor sent no settings: {error}")))?;
    let resolved = Resolved::from_line(&line)?;
    let watching = std::thread::Builder::new().name("watch".to_owned()).spawn(leave_with_the_supervisor);
    watching.map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
    Ok((resolved, sockets))
}

/// Reads the pipe until it ends, which it does when the supervisor is gone, however it went.
fn leave_with_the_supervisor() {
    let mut byte = [0];
    while matches!(std::io::stdin().lock().read(&mut byte), Ok(1)) {}
    std::process::exit(i32::from(CODE_FAILED));
}
