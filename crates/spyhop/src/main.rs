//! The `spyhop` command: settings → roles → shutdown.
//!
//! `spyhop serve` is a small supervisor over one process a role ([`supervisor`]); `spyhop serve --role ingest` is that
//! one role ([`roles`]). Other commands are short-lived. A command that fails says one sentence on stderr and ends
//! with an exit code from [`failure`].

mod catalog_rebuild;
mod clock;
mod compact_now;
mod demo;
mod export;
mod failure;
mod health;
mod import;
mod listeners;
mod locks;
mod logging;
mod process_stats;
mod roles;
mod settings;
mod shipping;
mod signals;
mod start;
mod status_writer;
mod supervised;
mod supervisor;
mod tail;
mod tls_arguments;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use failure::Failure;
use roles::Role;
use settings::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Logs, metrics and traces over OTLP, kept as Parquet; ask by trace id, by text, by SQL.
#[derive(Debug, Parser)]
#[command(name = "spyhop", version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive, keep and answer until SIGTERM or SIGINT.
    Serve {
        /// Which role this process has; `all` supervises one process a role.
        #[arg(long, value_enum, default_value_t = Roles::All)]
        role: Roles,
        #[command(flatten)]
        place: Place,
    },
    /// Send the telemetry of a small shop to an OTLP endpoint until stopped.
    Demo(demo::DemoArguments),
    /// Send what an app prints as log records, and pass it on: my-app | spyhop pipe.
    ///
    /// JSON and logfmt lines give a record its time, severity, message, trace and span id; plain lines their time and
    /// severity; a stack trace is one record. Ends with 0 when everything was sent, else with 1.
    Pipe(Box<shipping::ShippingArguments>),
    /// Run an app, send what it prints as log records, and pass it on: spyhop exec -- my-app args…
    ///
    /// Signals go on to the app, and its exit code is ours: 128 and the signal's number where a signal ended it. The
    /// app is never blocked by the server: while that is away, records wait in memory.
    Exec {
        #[command(flatten)]
        shipping: Box<shipping::ShippingArguments>,
        /// The app and its arguments.
        #[arg(required = true, trailing_var_arg = true, value_name = "APP")]
        app: Vec<String>,
    },
    /// Ask the running server to bring its journal into files, and to merge small ones.
    Compact {
        /// Do it now and wait until it is done.
        #[arg(long, required = true)]
        now: bool,
        /// Longest wait, in seconds.
        #[arg(long, default_value_t = 300)]
        wait_seconds: u64,
        #[command(flatten)]
        place: Place,
    },
    /// Print log records as they are stored, until interrupted.
    Tail(tail::TailArguments),
    /// Ask a running server whether it is ready; the exit code says it.
    Health {
        /// Server to ask, such as http://spyhop:4318; may be repeated. Without it, the one of these settings.
        #[arg(long = "url", value_name = "URL")]
        urls: Vec<String>,
        /// Ask again for so many seconds.
        #[arg(long, default_value_t = 0)]
        wait_seconds: u64,
        #[command(flatten)]
        place: Place,
    },
    /// Write everything stored as OTLP/JSON lines; the server may run meanwhile.
    Export {
        #[command(flatten)]
        arguments: export::ExportArguments,
        #[command(flatten)]
        place: Place,
    },
    /// Send OTLP/JSON lines, as export writes them, to a server.
    Import(import::ImportArguments),
    /// Look after the catalog.
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Look at the settings.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum CatalogCommand {
    /// Make a lost or damaged catalog anew from files, manifests and journal, with the server stopped.
    Rebuild {
        /// Do it even though there is a catalog that can be read; it is kept beside the new one.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every setting in force, where it came from, and what it does.
    Show {
        #[command(flatten)]
        place: Place,
    },
}

/// Where settings and data are.
#[derive(Debug, Args)]
struct Place {
    /// Settings file in TOML; SPYHOP_CONFIG names one too.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Data folder; SPYHOP_DATA_DIR names one too.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Roles {
    All,
    Ingest,
    Query,
    Compact,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Err(failure) = run(arguments.command) else { return ExitCode::SUCCESS };
    if !failure.sentence.is_empty() {
        let _ = writeln!(std::io::stderr(), "spyhop: {}", failure.sentence);
    }
    ExitCode::from(failure.code)
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve { role: Roles::All, place } => serve_all(place),
        Command::Serve { role: Roles::Ingest, place } => serve_role(Role::Ingest, place),
        Command::Serve { role: Roles::Query, place } => serve_role(Role::Query, place),
        Command::Serve { role: Roles::Compact, place } => serve_role(Role::Compact, place),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Tail(arguments) => tail::run(arguments),
        Command::Pipe(arguments) => shipping::pipe(&arguments),
        Command::Exec { shipping, app } => match shipping::exec(&shipping, &app)? {
            0 => Ok(()),
            // The app has said what was wrong, if anything.
            code => Err(Failure { sentence: String::new(), code }),
        },
        Command::Compact { now: _, wait_seconds, place } => {
            let resolved = settings::resolve(place.config, place.data_dir)?;
            compact_now::run(&Settings::new(&resolved), Duration::from_secs(wait_seconds))
        }
        Command::Health { urls, wait_seconds, place } => {
            let settings = Settings::new(&settings::resolve(place.config, place.data_dir)?);
            health::run(&urls, &settings, Duration::from_secs(wait_seconds))
        }
        Command::Export { arguments, place } => {
            export::run(&arguments, &Settings::new(&settings::resolve(place.config, place.data_dir)?))
        }
        Command::Import(arguments) => import::run(arguments),
        Command::Catalog(CatalogCommand::Rebuild { replace, place }) => {
            let resolved = settings::resolve(place.config, place.data_dir)?;
            catalog_rebuild::run(&Settings::new(&resolved), replace)
        }
        Command::Config(ConfigCommand::Show { place }) => {
            logging::print(&settings::shown(&settings::resolve(place.config, place.data_dir)?));
            Ok(())
        }
    }
}

fn serve_all(place: Place) -> Result<(), Failure> {
    let resolved = settings::resolve(place.config, place.data_dir)?;
    let settings = Settings::new(&resolved);
    logging::start("supervisor", &settings.log)?;
    // To whoever started the whole there is no difference between one that cannot start and one that failed.
    supervisor::run(&resolved, &settings).map_err(|failure| match failure.code {
        failure::CODE_CANNOT_START => Failure::new(failure.sentence),
        _ => failure,
    })
}

fn serve_role(role: Role, place: Place) -> Result<(), Failure> {
    if supervised::is_supervised() {
        let (resolved, sockets) = supervised::inherit()?;
        let settings = Settings::new(&resolved);
        logging::start(role.name(), &settings.log)?;
        return roles::run(role, &settings, sockets);
    }
    let resolved = settings::resolve(place.config, place.data_dir)?;
    let settings = Settings::new(&resolved);
    logging::start(role.name(), &settings.log)?;
    let sockets = roles::open_sockets(role, &settings)?;
    roles::run(role, &settings, sockets)
}
