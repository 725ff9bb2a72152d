//! The roles: each owns its runtime, takes its lock, opens what it needs, and runs until asked to end.
//!
//! Runtimes are sized explicitly (design §1.4): ingest by its setting, query by cores, compact one. Query and compact
//! lower their CPU priority before they start a thread, so that every thread of theirs has it.

mod compact;
mod ingest;
mod query;

use std::fmt;

use server::ServeLimits;
use tokio::runtime::Runtime;

use crate::failure::Failure;
use crate::listeners::{self, Sockets};
use crate::locks;
use crate::settings::Settings;
use crate::start;

/// A role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Receives, makes durable, acknowledges.
    Ingest,
    /// Answers.
    Query,
    /// Turns the journal into files.
    Compact,
}

impl Role {
    /// The name in arguments, locks, status files and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Ingest => "ingest",
            Role::Query => "query",
            Role::Compact => "compact",
        }
    }

    /// The process's name as `ps` shows it, at most 15 bytes.
    fn process_name(self) -> &'static str {
        match self {
            Role::Ingest => "spyhop-ingest",
            Role::Query => "spyhop-query",
            Role::Compact => "spyhop-compact",
        }
    }

    /// How much lower than ingest the role's CPU priority is.
    fn niceness(self) -> i32 {
        match self {
            Role::Ingest => 0,
            Role::Query => 5,
            Role::Compact => 10,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Sockets of a role that has no supervisor.
pub(crate) fn open_sockets(role: Role, settings: &Settings) -> Result<Sockets, Failure> {
    let (ingest, query) = match role {
        Role::Ingest => (listeners::open_ingest(settings)?, Sockets::default()),
        Role::Query => (Sockets::default(), listeners::open_query(settings)?),
        Role::Compact => return Ok(Sockets::default()),
    };
    start::announce(settings, &ingest, &query);
    Ok(if role == Role::Ingest { ingest } else { query })
}

/// Runs a role until SIGTERM or SIGINT.
pub(crate) fn run(role: Role, settings: &Settings, sockets: Sockets) -> Result<(), Failure> {
    // Cosmetic: the process may be called after the link it was started through.
    let _ = std::fs::write("/proc/self/comm", role.process_name());
    if role.niceness() > 0
        && let Err(error) = rustix::process::nice(role.niceness())
    {
        tracing::warn!(%error, "cannot lower the CPU priority");
    }
    let layout = start::open_data_folder(settings)?;
    let lock = locks::take(&layout.lock_path(role.name()), role.name(), listeners::PATIENCE)?;
    match role {
        Role::Ingest => ingest::run(settings, layout, lock, sockets),
        Role::Query => query::run(settings, layout, lock, sockets.streams),
        Role::Compact => compact::run(settings, layout, lock),
    }
}

fn runtime(workers: usize, name: &'static str) -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(16)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(|error| Failure::cannot_start(format!("cannot start the runtime: {error}")))
}

fn serve_limits(settings: &Settings) -> ServeLimits {
    ServeLimits {
        connections_max: settings.server.connections_max,
        streams_per_connection_max: settings.server.streams_per_connection_max,
        idle_timeout: settings.server.idle_timeout,
        connection_age_max: settings.server.connection_age_max,
        connection_age_grace: settings.server.connection_age_grace,
        drain_max: settings.shutdown_grace,
    }
}
