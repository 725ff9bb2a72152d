//! Spyhop's own logs: on stdout, an event a line; JSON objects, or text where stdout is a terminal.
//!
//! A closed or full stdout costs the line, never the process.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use model::time::Civil;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::clock;
use crate::failure::Failure;

/// Starts logging for the process.
pub(crate) fn start(role: &'static str, filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::usage(format!(
            "SPYHOP_LOG is '{filter}': write levels such as info, debug or info,ingest=debug ({error})"
        ))
    })?;
    let terminal = io::stdout().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Stdout).log_internal_errors(false);
    let started = if terminal {
        tracing::subscriber::set_global_default(builder.event_format(TextLine { role }).finish())
    } else {
        tracing::subscriber::set_global_default(builder.event_format(JsonLine { role }).finish())
    };
    started.map_err(|error| Failure::new(format!("logging is started twice: {error}")))
}

/// Writes to stdout and swallows every error.
struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stdout().lock().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stdout().flush();
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Stdout {
    type Writer = Stdout;

    fn make_writer(&'a self) -> Stdout {
        Stdout
    }
}

/// Prints for a person; a closed stdout is no error.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Prints for a person who watches; nothing where stdout is no terminal, since there every line is an event.
pub(crate) fn print_to_terminal(text: &str) {
    if io::stdout().is_terminal() {
        print(text);
    }
}

/// An event's message and fields.
#[derive(Default)]
struct Fields {
    message: String,
    fields: Map<String, Value>,
}

impl Fields {
    fn of(event: &Event<'_>) -> Fields {
        let mut fields = Fields::default();
        event.record(&mut fields);
        fields
    }

    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

/// `{"timestamp":…,"level":…,"role":…,"target":…,"message":…,"fields":…}`.
struct JsonLine {
    role: &'static str,
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        writeln!(out, "{}", json_line(self.role, clock::now_unix_nano(), event.metadata(), Fields::of(event)))
    }
}

/// Written by hand, so that the members stand in the order a person reads.
fn json_line(role: &str, now: i64, metadata: &tracing::Metadata<'_>, fields: Fields) -> String {
    let mut line = format!(
        r#"{{"timestamp":"{}","level":"{}","role":"{role}","target":{},"message":{}"#,
        Civil::from_unix_nano(now),
        metadata.level(),
        Value::from(metadata.target()),
        Value::from(fields.message),
    );
    if !fields.fields.is_empty() {
        line.push_str(r#","fields":"#);
        line.push_str(&Value::from(fields.fields).to_string());
    }
    line.push('}');
    line
}

/// `19:30:00.123 INFO  ingest  listening  address=…`.
struct TextLine {
    role: &'static str,
}

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let time = Civil::from_unix_nano(clock::now_unix_nano()).to_string();
        let level = *event.metadata().level();
        let colour = match level {
            Level::ERROR => "\x1b[31m",
            Level::WARN => "\x1b[33m",
            Level::INFO => "\x1b[32m",
            _ => "\x1b[2m",
        };
        let Fields { message, fields } = Fields::of(event);
        write!(out, "{} {colour}{level:<5}\x1b[0m {:<10} {message}", time.get(11..23).unwrap_or(&time), self.role)?;
        for (name, value) in fields {
            write!(out, " \x1b[2m{name}=\x1b[0m{value}")?;
        }
        writeln!(out)
    }
}
