//! Every setting: its key, what its text must be, its default, and what it does. `spyhop config show` prints this
//! table; `Settings` reads it.

use super::values::Kind;

/// A setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// Dotted name, as in the TOML file.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    pub(crate) help: &'static str,
    /// Whether the value is never shown.
    pub(crate) secret: bool,
}

impl Key {
    /// The variable of the environment: `otlp.grpc_address` is `SPYHOP_OTLP_GRPC_ADDRESS`.
    pub(crate) fn variable(&self) -> String {
        format!("SPYHOP_{}", self.name.replace('.', "_").to_ascii_uppercase())
    }
}

const fn key(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Key {
    Key { name, kind, default, help, secret: false }
}

const fn secret(name: &'static str, kind: Kind, help: &'static str) -> Key {
    Key { name, kind, default: "", help, secret: true }
}

/// The table.
pub(crate) static KEYS: &[Key] = &[
    key("data_dir", Kind::Text, "data", "folder of journal, files and catalog; made where it is missing"),
    key("log", Kind::Text, "info", "levels of Spyhop's own logs: info, debug, or by crate: info,ingest=debug"),
    key("shutdown_grace", Kind::Duration, "20s", "time that requests in flight have after SIGTERM"),
    key("otlp.grpc_address", Kind::Address, "127.0.0.1:4317", "where OTLP is received (gRPC and HTTP)"),
    key(
        "otlp.http_address",
        Kind::Address,
        "127.0.0.1:4318",
        "where OTLP is received (HTTP and gRPC), /livez, /readyz",
    ),
    key("otlp.path_prefix", Kind::List, "", "prefix before /v1/logs and its like that is accepted too, such as /otlp"),
    key("otlp.cors_origins", Kind::List, "", "origins of browsers that may send, separated by commas; * for all"),
    key("otlp.cors_headers", Kind::List, "", "request headers that browsers may send beside those OTLP needs"),
    key("otlp.cors_max_age", Kind::Duration, "2h", "how long a browser may remember what it may send"),
    key("api.address", Kind::Address, "127.0.0.1:4319", "where the UI and the API are served"),
    key("api.allowed_hosts", Kind::List, "", "host names that a server on loopback answers to beside localhost"),
    key("api.compress_bytes_min", Kind::Bytes, "32KiB", "size from which answers to other machines are compressed"),
    key("server.connections_max", Kind::Count, "2048", "connections open at once, for each of ingest and query"),
    key("server.streams_per_connection_max", Kind::Count, "1000", "HTTP/2 streams open at once on a connection"),
    key("server.idle_timeout", Kind::Duration, "60s", "silence after which a connection is closed"),
    key("server.body_idle_timeout", Kind::Duration, "10s", "silence within a request's body after which it is refused"),
    key("server.request_time_max", Kind::Duration, "60s", "longest time that the body of a request may take to arrive"),
    key(
        "server.connection_age_max",
        Kind::Duration,
        "0s",
        "age at which a client is asked to connect anew; 0s is never",
    ),
    key("server.connection_age_grace", Kind::Duration, "30s", "time that requests in flight have then"),
    secret("auth.ingest_tokens", Kind::Tokens, "tokens that may send, between commas or one a line"),
    secret("auth.api_tokens", Kind::Tokens, "tokens that may ask, also as the password of any user in a browser"),
    secret("auth.basic", Kind::Users, "users who may send and ask, as name:password, between commas or one a line"),
    key("auth.header", Kind::HeaderName, "", "header that may carry a token beside authorization, such as x-api-key"),
    key("tls.certificate", Kind::Path, "", "PEM file of the certificate and what is between it and its authority"),
    key("tls.key", Kind::Path, "", "PEM file of the certificate's private key; both are read again when they change"),
    key("tls.client_ca", Kind::Path, "", "PEM file of the authorities that clients must have a certificate of"),
    key("tls.version_min", Kind::TlsVersion, "1.2", "oldest version of TLS that is spoken: 1.2 or 1.3"),
    key("tls.handshake_max", Kind::Duration, "10s", "longest TLS handshake"),
    key("tls.reload_interval", Kind::Duration, "5s", "how often the TLS files are looked at"),
    key("limits.tenant_bytes_per_second", Kind::Bytes, "0", "inflated bytes a tenant may send a second; 0 is no limit"),
    key("limits.tenant_records_per_second", Kind::Amount, "0", "records a tenant may send a second; 0 is no limit"),
    key(
        "limits.service_records_per_second",
        Kind::Amount,
        "0",
        "records each service may send a second; 0 is no limit",
    ),
    key("limits.burst", Kind::Duration, "5s", "how many seconds' worth may come at once after a silence"),
    key("limits.services_max", Kind::Count, "10000", "services that are limited each alone; more share one limit"),
    key("syslog.tcp_address", Kind::OptionalAddress, "", "where syslog is received over TCP; not at all where empty"),
    key("syslog.tls_address", Kind::OptionalAddress, "", "where syslog is received over TLS; not at all where empty"),
    key("syslog.udp_address", Kind::OptionalAddress, "", "where syslog is received over UDP; not at all where empty"),
    key("syslog.message_bytes_max", Kind::Bytes, "64KiB", "longest syslog message; a longer one is cut"),
    key(
        "syslog.connections_max",
        Kind::Count,
        "256",
        "syslog connections open at once over TCP, and over TLS; more wait",
    ),
    key("syslog.idle_timeout", Kind::Duration, "1h", "silence after which a syslog connection is closed"),
    key("ingest.request_bytes_max", Kind::Bytes, "64MiB", "largest request, on the wire and inflated"),
    key("ingest.inflight_bytes_max", Kind::Bytes, "256MiB", "bytes of all requests in flight together"),
    key("ingest.admission_wait", Kind::Duration, "5s", "how long a request waits for room before it is refused"),
    key("ingest.retry_after", Kind::Duration, "2s", "when refused clients are asked to send again"),
    key("ingest.workers", Kind::Count, "2", "threads of the ingest role"),
    key("journal.bytes_max", Kind::Bytes, "4GiB", "journal not yet compacted beyond which exports are refused"),
    key("journal.disk_reserve_bytes", Kind::Bytes, "256MiB", "free disk space below which exports are refused"),
    key("journal.segment_bytes_max", Kind::Bytes, "32MiB", "size at which a segment is sealed"),
    key("journal.segment_age_max", Kind::Duration, "5m", "age at which a segment is sealed"),
    key("journal.digest_window", Kind::Duration, "10m", "how long a request that is sent again is recognised"),
    key("journal.digest_entries_max", Kind::Count, "1000000", "most requests that are remembered for that"),
    key("ledger.keep", Kind::Duration, "14d", "how long the ledger of what was received is kept, by arrival"),
    key("ledger.services_max", Kind::Count, "1000", "services that the ledger tells apart; more are counted together"),
    key("ledger.reasons_max", Kind::Count, "32", "reasons that it tells apart for each service and signal"),
    key(
        "ledger.samples_max",
        Kind::Count,
        "3",
        "samples of rejected records that it keeps for each reason, the newest",
    ),
    key(
        "ledger.sample_bytes_max",
        Kind::Bytes,
        "1KiB",
        "longest sample of a rejected record; 0 keeps none, 64KiB is the most",
    ),
    key("query.memory_bytes_max", Kind::Bytes, "256MiB", "memory of all SQL queries together"),
    key("query.time_max", Kind::Duration, "30s", "longest query, waiting included"),
    key("query.running_max", Kind::Count, "8", "queries running at once; more wait"),
    key("query.rows_max", Kind::Count, "10000", "most rows of a SQL answer"),
    key("query.tail_streams_max", Kind::Count, "64", "live tails open at once"),
    key(
        "query.tail_records_per_second_max",
        Kind::Count,
        "500",
        "most records a second of a live tail; more are counted",
    ),
    key(
        "query.tail_replay_records_max",
        Kind::Count,
        "10000",
        "records a live tail catches up on before that rate holds",
    ),
    key("query.tail_bytes_max", Kind::Bytes, "32MiB", "latest records kept for all live tails together"),
    key("query.tail_heartbeat", Kind::Duration, "15s", "silence after which a live tail shows that it lives"),
    key("query.metric_bytes_max", Kind::Bytes, "128MiB", "memory of one question about metrics"),
    key("query.metric_series_max", Kind::Count, "100000", "most series of one metric that a question looks at"),
    key(
        "query.metric_look_back",
        Kind::Duration,
        "5m",
        "how far apart two points of a series may be and still belong together",
    ),
    key("compact.retention", Kind::Duration, "30d", "how long records are kept, by their own time"),
    key("compact.retention_logs", Kind::OptionalDuration, "", "how long log records are kept, where it differs"),
    key("compact.retention_traces", Kind::OptionalDuration, "", "how long spans are kept, where it differs"),
    key("compact.retention_metrics", Kind::OptionalDuration, "", "how long metric points are kept, where it differs"),
    key("compact.close_after", Kind::Duration, "10m", "how long after its end an hour's small files are merged"),
    key("compact.final_rows", Kind::Count, "131072", "rows from which on a file is never merged again"),
    key("compact.merge_bytes_max", Kind::Bytes, "128MiB", "most bytes, decoded, of the files that one merge reads"),
    key("compact.merge_files_max", Kind::Count, "64", "most files that one merge reads"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_names_unique() {
        for key in KEYS {
            assert_eq!(key.kind.check(key.default), Ok(()), "{}", key.name);
            assert_eq!(KEYS.iter().filter(|other| other.variable() == key.variable()).count(), 1, "{}", key.name);
            assert!(!key.variable().ends_with("_FILE") && !key.variable().ends_with("_PORT"), "{}", key.name);
        }
    }
}
