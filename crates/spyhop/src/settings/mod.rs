//! Settings: one struct, resolved and parsed once (`design.md` §6), by the supervisor for all roles.
//!
//! [`keys`] holds every setting as data, [`mod@resolve`] finds the text of each and where it came from, [`values`] knows
//! what texts are valid. A value that is wrong, or a key that does not exist, ends the command with one sentence and
//! exit code 2.

mod edge;
mod keys;
mod resolve;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use ingest::RateLimits;
use journal::LedgerLimits;
use server::{Secrets, TlsFiles};

pub(crate) use resolve::{Inputs, Resolved};
pub(crate) use values::{bytes, duration};

use crate::failure::Failure;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) log: String,
    pub(crate) shutdown_grace: Duration,
    pub(crate) otlp: OtlpSettings,
    pub(crate) api: ApiSettings,
    pub(crate) server: ServerSettings,
    pub(crate) auth: Secrets,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) limits: RateLimits,
    pub(crate) syslog: SyslogSettings,
    pub(crate) ingest: IngestSettings,
    pub(crate) journal: JournalSettings,
    pub(crate) ledger: LedgerSettings,
    pub(crate) query: QuerySettings,
    pub(crate) compact: CompactSettings,
}

/// Where OTLP comes in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OtlpSettings {
    pub(crate) grpc_address: String,
    pub(crate) http_address: String,
    pub(crate) path_prefix: String,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) cors_headers: Vec<String>,
    pub(crate) cors_max_age: Duration,
}

/// Where questions come in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiSettings {
    pub(crate) address: String,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) compress_bytes_min: usize,
}

/// Bounds on connections.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerSettings {
    pub(crate) connections_max: usize,
    pub(crate) streams_per_connection_max: u32,
    pub(crate) idle_timeout: Duration,
    pub(crate) body_idle_timeout: Duration,
    pub(crate) request_time_max: Duration,
    pub(crate) connection_age_max: Option<Duration>,
    pub(crate) connection_age_grace: Duration,
}

/// Where syslog comes in, and its bounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SyslogSettings {
    pub(crate) tcp_address: Option<String>,
    pub(crate) tls_address: Option<String>,
    pub(crate) udp_address: Option<String>,
    pub(crate) message_bytes_max: usize,
    pub(crate) connections_max: usize,
    pub(crate) idle_timeout: Duration,
}

/// Bounds on requests in flight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IngestSettings {
    pub(crate) request_bytes_max: usize,
    pub(crate) inflight_bytes_max: usize,
    pub(crate) admission_wait: Duration,
    pub(crate) retry_after: Duration,
    pub(crate) workers: usize,
}

/// Bounds on the journal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JournalSettings {
    pub(crate) bytes_max: u64,
    pub(crate) disk_reserve_bytes: u64,
    pub(crate) segment_bytes_max: u64,
    pub(crate) segment_age_max: Duration,
    pub(crate) digest_window: Duration,
    pub(crate) digest_entries_max: usize,
}

/// How much the ledger keeps of what was received.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LedgerSettings {
    pub(crate) keep: Duration,
    pub(crate) limits: LedgerLimits,
    pub(crate) sample_bytes_max: usize,
}

/// Bounds on queries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuerySettings {
    pub(crate) memory_bytes_max: usize,
    pub(crate) time_max: Duration,
    pub(crate) running_max: usize,
    pub(crate) rows_max: usize,
    pub(crate) metric_bytes_max: usize,
    pub(crate) metric_series_max: usize,
    pub(crate) metric_look_back: Duration,
    pub(crate) tail: TailSettings,
}

/// Bounds on live tails.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TailSettings {
    pub(crate) streams_max: usize,
    pub(crate) records_per_second_max: usize,
    pub(crate) replay_records_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) heartbeat: Duration,
}

/// Bounds on compaction, and how long records are kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CompactSettings {
    pub(crate) retention_logs: Duration,
    pub(crate) retention_traces: Duration,
    pub(crate) retention_metrics: Duration,
    pub(crate) close_after: Duration,
    pub(crate) final_rows: u64,
    pub(crate) merge_bytes_max: u64,
    pub(crate) merge_files_max: usize,
}

impl Settings {
    /// Parses resolved texts, each of which was checked when it was resolved.
    pub(crate) fn new(resolved: &Resolved) -> Settings {
        let read = Reader(resolved);
        Settings {
            data_dir: PathBuf::from(read.text("data_dir")),
            log: read.text("log"),
            shutdown_grace: read.duration("shutdown_grace"),
            otlp: OtlpSettings {
                grpc_address: read.text("otlp.grpc_address"),
                http_address: read.text("otlp.http_address"),
                path_prefix: read.text("otlp.path_prefix"),
                cors_origins: values::list(&read.text("otlp.cors_origins")),
                cors_headers: values::list(&read.text("otlp.cors_headers")),
                cors_max_age: read.duration("otlp.cors_max_age"),
            },
            api: ApiSettings {
                address: read.text("api.address"),
                allowed_hosts: values::list(&read.text("api.allowed_hosts")),
                compress_bytes_min: read.memory("api.compress_bytes_min"),
            },
            server: ServerSettings {
                connections_max: read.count("server.connections_max"),
                streams_per_connection_max: read.count32("server.streams_per_connection_max"),
                idle_timeout: read.duration("server.idle_timeout"),
                body_idle_timeout: read.duration("server.body_idle_timeout"),
                request_time_max: read.duration("server.request_time_max"),
                connection_age_max: Some(read.duration("server.connection_age_max")).filter(|age| !age.is_zero()),
                connection_age_grace: read.duration("server.connection_age_grace"),
            },
            auth: edge::auth(&read),
            tls: edge::tls(&read),
            limits: edge::limits(&read),
            syslog: edge::syslog(&read),
            ingest: IngestSettings {
                request_bytes_max: read.memory("ingest.request_bytes_max"),
                inflight_bytes_max: read.memory("ingest.inflight_bytes_max"),
                admission_wait: read.duration("ingest.admission_wait"),
                retry_after: read.duration("ingest.retry_after"),
                workers: read.count("ingest.workers"),
            },
            journal: JournalSettings {
                bytes_max: read.bytes("journal.bytes_max"),
                disk_reserve_bytes: read.bytes("journal.disk_reserve_bytes"),
                segment_bytes_max: read.bytes("journal.segment_bytes_max"),
                segment_age_max: read.duration("journal.segment_age_max"),
                digest_window: read.duration("journal.digest_window"),
                digest_entries_max: read.count("journal.digest_entries_max"),
            },
            ledger: edge::ledger(&read),
            query: QuerySettings {
                memory_bytes_max: read.memory("query.memory_bytes_max"),
                time_max: read.duration("query.time_max"),
                running_max: read.count("query.running_max"),
                rows_max: read.count("query.rows_max"),
                metric_bytes_max: read.memory("query.metric_bytes_max"),
                metric_series_max: read.count("query.metric_series_max"),
                metric_look_back: read.duration("query.metric_look_back"),
                tail: TailSettings {
                    streams_max: read.count("query.tail_streams_max"),
                    records_per_second_max: read.count("query.tail_records_per_second_max"),
                    replay_records_max: read.count("query.tail_replay_records_max"),
                    bytes_max: read.memory("query.tail_bytes_max"),
                    heartbeat: read.duration("query.tail_heartbeat"),
                },
            },
            compact: CompactSettings::new(&read),
        }
    }
}

impl CompactSettings {
    fn new(read: &Reader<'_>) -> CompactSettings {
        let all = read.duration("compact.retention");
        CompactSettings {
            retention_logs: read.optional_duration("compact.retention_logs").unwrap_or(all),
            retention_traces: read.optional_duration("compact.retention_traces").unwrap_or(all),
            retention_metrics: read.optional_duration("compact.retention_metrics").unwrap_or(all),
            close_after: read.duration("compact.close_after"),
            final_rows: read.count("compact.final_rows") as u64,
            merge_bytes_max: read.bytes("compact.merge_bytes_max"),
            merge_files_max: read.count("compact.merge_files_max"),
        }
    }
}

/// Whether the settings go together.
fn check(resolved: &Resolved) -> Result<(), Failure> {
    edge::check(&Reader(resolved))
}

/// Reads typed values; resolving has checked every text, so a wrong one reads as the least.
struct Reader<'a>(&'a Resolved);

impl Reader<'_> {
    fn text(&self, name: &str) -> String {
        self.0.text(name).to_owned()
    }

    fn duration(&self, name: &str) -> Duration {
        duration(self.0.text(name)).unwrap_or_default()
    }

    fn optional_duration(&self, name: &str) -> Option<Duration> {
        duration(self.0.text(name))
    }

    fn bytes(&self, name: &str) -> u64 {
        bytes(self.0.text(name)).unwrap_or_default()
    }

    /// A whole number, 0 included.
    fn amount(&self, name: &str) -> u64 {
        values::amount(self.0.text(name)).unwrap_or_default()
    }

    fn memory(&self, name: &str) -> usize {
        usize::try_from(self.bytes(name)).unwrap_or(usize::MAX)
    }

    fn count(&self, name: &str) -> usize {
        values::count(self.0.text(name)).and_then(|count| usize::try_from(count).ok()).unwrap_or(1)
    }

    fn count32(&self, name: &str) -> u32 {
        u32::try_from(self.count(name)).unwrap_or(u32::MAX)
    }
}

/// Resolves the settings of this process: defaults, then the TOML file of `--config` or `SPYHOP_CONFIG`, then the
/// environment, then flags.
pub(crate) fn resolve(config: Option<PathBuf>, data_dir: Option<PathBuf>) -> Result<Resolved, Failure> {
    let path = config.or_else(|| std::env::var_os("SPYHOP_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from));
    let file = match path {
        Some(path) => {
            let text = std::fs::read_to_string(&path).map_err(|error| {
                Failure::usage(format!("cannot read the settings file {}: {error}", path.display()))
            })?;
            Some((path, text))
        }
        None => None,
    };
    let mut environment = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("SPYHOP_")) else { continue };
        let Some(value) = value.to_str() else {
            return Err(Failure::usage(format!("{name} is not UTF-8")));
        };
        environment.push((name.to_owned(), value.to_owned()));
    }
    let flags = data_dir.map(|path| ("--data-dir", "data_dir", path.display().to_string())).into_iter().collect();
    Resolved::new(Inputs { file, environment, flags })
}

/// The settings in force, as TOML with where each came from and what it does.
pub(crate) fn shown(resolved: &Resolved) -> String {
    let mut out = String::new();
    for (key, text, source) in resolved.entries() {
        out.push_str(&format!("# {} [{}]\n", key.help, key.variable()));
        if key.secret && !text.is_empty() {
            // As a comment: what is shown can be used as a settings file, and stars are no secret.
            out.push_str(&format!("# {} = ***  # {source}, not shown\n", key.name));
        } else {
            out.push_str(&format!("{} = {text:?}  # {source}\n", key.name));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_and_every_read_key_exists() {
        let settings = Settings::new(&Resolved::defaults());
        assert_eq!(settings.ingest.request_bytes_max, 64 << 20);
        assert_eq!(settings.journal.segment_age_max, Duration::from_secs(300));
        let source = concat!(include_str!("mod.rs"), include_str!("edge.rs"));
        for key in keys::KEYS {
            assert!(source.contains(&format!("(\"{}\")", key.name)), "{} is never read", key.name);
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let secret = "a-token-nobody-sees";
        let environment = vec![
            ("SPYHOP_AUTH_INGEST_TOKENS".to_owned(), secret.to_owned()),
            ("SPYHOP_AUTH_API_TOKENS".to_owned(), secret.to_owned()),
            ("SPYHOP_AUTH_BASIC".to_owned(), format!("ann:{secret}")),
        ];
        let resolved = Resolved::new(Inputs { environment, ..Inputs::default() }).map_err(|failure| failure.sentence);
        let resolved = resolved.expect("valid");
        let all = shown(&resolved) + &format!("{:?} {resolved:?}", Settings::new(&resolved));
        assert!(!all.contains(secret), "{all}");
        assert!(all.contains("# auth.basic = ***  # $SPYHOP_AUTH_BASIC, not shown"), "{all}");
        let wrong = vec![("SPYHOP_AUTH_BASIC".to_owned(), secret.to_owned())];
        let failure = Resolved::new(Inputs { environment: wrong, ..Inputs::default() }).expect_err("no password");
        assert!(!failure.sentence.contains(secret) && failure.sentence.contains("SPYHOP_AUTH_BASIC"), "{failure:?}");
    }

    #[test]
    fn retention_of_a_signal_is_that_of_all_unless_it_is_set() {
        let days = |file: &str| {
            let inputs = Inputs { file: Some((PathBuf::from("f"), file.to_owned())), ..Inputs::default() };
            let settings = Settings::new(&Resolved::new(inputs).expect("valid")).compact;
            [settings.retention_logs, settings.retention_traces, settings.retention_metrics]
                .map(|kept| kept.as_secs() / 86_400)
        };
        assert_eq!(days(""), [30, 30, 30]);
        assert_eq!(days("compact.retention = '7d'\ncompact.retention_metrics = '90d'"), [7, 7, 90]);
        assert_eq!(days("[compact]\nretention_logs = '2d'\nretention_traces = ''"), [2, 30, 30]);
    }

    #[test]
    fn what_is_shown_is_a_settings_file() {
        let shown = shown(&Resolved::defaults());
        let file = Some((PathBuf::from("shown.toml"), shown));
        let again = Resolved::new(Inputs { file, ..Inputs::default() }).map_err(|failure| failure.sentence);
        assert_eq!(again.map(|resolved| Settings::new(&resolved)), Ok(Settings::new(&Resolved::defaults())));
    }
}
