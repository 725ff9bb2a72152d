//! `spyhop export`: everything stored, as OTLP/JSON lines, straight from the data folder; the server may run beside it.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use model::{Signal, TenantId, TimeRange, time};
use query::export::{Export, ExportError, ExportLimits, Exported};
use store::Layout;
use tables::{Deadline, Engine, EngineLimits, Scan};

use crate::failure::Failure;
use crate::settings::Settings;
use crate::{clock, start};

/// Rows of the journal that an export may hold; beyond it `spyhop compact --now` has to go first.
const TAIL_BYTES_MAX: usize = 1 << 30;
/// An export takes as long as it takes.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 86_400);
const BUFFER_BYTES: usize = 1 << 20;

/// What to export.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// Signals, separated by commas: traces, logs, metrics.
    #[arg(long, value_delimiter = ',', default_value = "traces,logs,metrics")]
    signals: Vec<String>,
    /// Only records from this time on: RFC 3339, Unix seconds to nanoseconds, or relative such as -15m.
    #[arg(long, allow_hyphen_values = true)]
    start: Option<String>,
    /// Only records before this time.
    #[arg(long, allow_hyphen_values = true)]
    end: Option<String>,
    /// File to write; standard output where absent.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(arguments: &ExportArguments, settings: &Settings) -> Result<(), Failure> {
    let ask = Export {
        signals: arguments.signals.iter().map(|name| signal(name)).collect::<Result<_, _>>()?,
        range: range(arguments, clock::now_unix_nano())?,
        limits: ExportLimits::default(),
    };
    if !Layout::new(&settings.data_dir).catalog_path().exists() {
        return Err(Failure::new(format!(
            "there is no catalog in {}: name the data folder by --data-dir or SPYHOP_DATA_DIR",
            settings.data_dir.display()
        )));
    }
    let layout = start::open_data_folder(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    let begun = Instant::now();
    let exported = write_all(&runtime, layout, &ask, arguments.output.as_deref())?;
    let Exported { records, lines } = exported;
    let _ = writeln!(io::stderr(), "{records} records in {lines} lines, in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn signal(name: &str) -> Result<Signal, Failure> {
    let found = Signal::ALL.into_iter().find(|signal| signal.name() == name);
    found.ok_or_else(|| Failure::usage(format!("--signals: '{name}' is none of traces, logs, metrics")))
}

fn range(arguments: &ExportArguments, now: i64) -> Result<TimeRange, Failure> {
    let read = |name: &str, text: &Option<String>| {
        let text = text.as_deref().map(|text| time::parse(text, now));
        text.transpose().map_err(|error| Failure::usage(format!("--{name}: {error}")))
    };
    Ok(TimeRange { start: read("start", &arguments.start)?, end: read("end", &arguments.end)? })
}

fn write_all(
    runtime: &tokio::runtime::Runtime,
    layout: Layout,
    ask: &Export,
    output: Option<&Path>,
) -> Result<Exported, Failure> {
    let catalog = runtime.block_on(start::open_catalog(&layout))?;
    let engine =
        Engine::new(layout, catalog, EngineLimits { tail_bytes_max: TAIL_BYTES_MAX, ..EngineLimits::default() });
    let pinned = runtime
        .block_on(engine.pin(&TenantId::default()))
        .map_err(|error| Failure::new(format!("the data cannot be read: {error}")))?;
    let mut scan = Scan::new(Deadline::at(Instant::now() + NO_DEADLINE));
    let written = match output {
        None => ask.run(&engine, &pinned, &mut scan, &mut BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock())),
        Some(path) => {
            let file = std::fs::File::create(path)
                .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
            ask.run(&engine, &pinned, &mut scan, &mut BufWriter::with_capacity(BUFFER_BYTES, file))
        }
    };
    written.map_err(|error| match error {
        // Whoever read has read enough.
        ExportError::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => Failure::new(""),
        ExportError::Incomplete(_) => Failure::new(format!("{error}; run 'spyhop compact --now', then export again")),
        error => Failure::new(format!("the export is not whole: {error}")),
    })
}
