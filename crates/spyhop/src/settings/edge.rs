//! Settings of what the network meets first: credentials, TLS, rates, syslog, and the ledger of what came in.

use std::path::PathBuf;

use ingest::RateLimits;
use journal::LedgerLimits;
use server::{Secrets, TlsFiles, TlsVersion};

use super::{LedgerSettings, Reader, SyslogSettings, values};
use crate::failure::Failure;

/// Who may send and who may ask.
pub(super) fn auth(read: &Reader<'_>) -> Secrets {
    Secrets {
        ingest_tokens: values::secrets(&read.text("auth.ingest_tokens")),
        api_tokens: values::secrets(&read.text("auth.api_tokens")),
        users: values::secrets(&read.text("auth.basic")),
        header: values::header_name(&read.text("auth.header")),
    }
}

/// TLS, where a certificate is named.
pub(super) fn tls(read: &Reader<'_>) -> Option<TlsFiles> {
    let path = |text: String| Some(PathBuf::from(text)).filter(|path| !path.as_os_str().is_empty());
    Some(TlsFiles {
        certificate: path(read.text("tls.certificate"))?,
        key: path(read.text("tls.key"))?,
        client_ca: path(read.text("tls.client_ca")),
        version_min: if read.text("tls.version_min") == "1.3" { TlsVersion::Tls13 } else { TlsVersion::Tls12 },
        handshake_max: read.duration("tls.handshake_max"),
        reload_interval: read.duration("tls.reload_interval"),
    })
}

/// Syslog, on the listeners that have an address.
pub(super) fn syslog(read: &Reader<'_>) -> SyslogSettings {
    let address = |text: String| Some(text).filter(|text| !text.is_empty());
    SyslogSettings {
        tcp_address: address(read.text("syslog.tcp_address")),
        tls_address: address(read.text("syslog.tls_address")),
        udp_address: address(read.text("syslog.udp_address")),
        message_bytes_max: read.memory("syslog.message_bytes_max"),
        connections_max: read.count("syslog.connections_max"),
        idle_timeout: read.duration("syslog.idle_timeout"),
    }
}

/// How much may be sent.
pub(super) fn limits(read: &Reader<'_>) -> RateLimits {
    RateLimits {
        tenant_bytes_per_second: read.bytes("limits.tenant_bytes_per_second"),
        tenant_records_per_second: read.amount("limits.tenant_records_per_second"),
        service_records_per_second: read.amount("limits.service_records_per_second"),
        burst: read.duration("limits.burst"),
        services_max: read.count("limits.services_max"),
    }
}

/// Longest sample that a receipt has room for.
const SAMPLE_BYTES_MAX: usize = 64 * 1024 - 1;

/// How much the ledger keeps.
pub(super) fn ledger(read: &Reader<'_>) -> LedgerSettings {
    LedgerSettings {
        keep: read.duration("ledger.keep"),
        limits: LedgerLimits {
            services_max: read.count("ledger.services_max"),
            reasons_max: read.count("ledger.reasons_max"),
            samples_max: read.count("ledger.samples_max"),
        },
        sample_bytes_max: read.memory("ledger.sample_bytes_max").min(SAMPLE_BYTES_MAX),
    }
}

/// What is wrong with settings that are each right: half of TLS is none, and a person who set half expects all of it.
pub(super) fn check(read: &Reader<'_>) -> Result<(), Failure> {
    let is_set = |name: &str| !read.text(name).is_empty();
    let is_for_syslog = is_set("syslog.tls_address");
    let sentence = match (is_set("tls.certificate"), is_set("tls.key"), is_set("tls.client_ca")) {
        (true, false, _) => "tls.certificate is set and tls.key is not: name the file of its private key too",
        (false, true, _) => "tls.key is set and tls.certificate is not: name the file of its certificate too",
        (false, false, true) => {
            "tls.client_ca is set without tls.certificate and tls.key: clients prove who they are over TLS alone"
        }
        (false, false, false) if is_for_syslog => {
            "syslog.tls_address is set without tls.certificate and tls.key: name the files of both, or use syslog.tcp_address"
        }
        _ => return Ok(()),
    };
    Err(Failure::usage(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Inputs, Resolved, Settings};

    fn resolve(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let resolved = Resolved::new(Inputs { environment, ..Inputs::default() });
        resolved.map(|resolved| Settings::new(&resolved)).map_err(|failure| failure.sentence)
    }

    #[test]
    fn half_of_tls_is_refused() {
        let check = |pairs: &[(&str, &str)], part: &str| {
            let sentence = resolve(pairs).expect_err("refused");
            assert!(sentence.contains(part), "{sentence}");
        };
        let (certificate, key) = (("SPYHOP_TLS_CERTIFICATE", "/c"), ("SPYHOP_TLS_KEY", "/k"));
        check(&[certificate], "tls.key is not");
        check(&[key], "tls.certificate is not");
        check(&[("SPYHOP_TLS_CLIENT_CA", "/a")], "without tls.certificate");
        check(&[certificate, key, ("SPYHOP_TLS_VERSION_MIN", "1.1")], "write 1.2 or 1.3");
        let syslog = ("SPYHOP_SYSLOG_TLS_ADDRESS", "127.0.0.1:6514");
        check(&[syslog], "syslog.tls_address is set without tls.certificate and tls.key");
        check(&[syslog, certificate], "tls.key is not");
        check(&[certificate, key, ("SPYHOP_SYSLOG_TLS_ADDRESS", "6514")], "SPYHOP_SYSLOG_TLS_ADDRESS");
        let settings = resolve(&[certificate, key, syslog]).expect("valid");
        assert_eq!(settings.syslog.tls_address.as_deref(), Some(syslog.1));
        check(&[("SPYHOP_TLS_CERTIFICATE", "-----BEGIN CERTIFICATE-----")], "write the path");
        assert_eq!(resolve(&[]).map(|settings| settings.tls), Ok(None));
        let settings = resolve(&[certificate, key, ("SPYHOP_TLS_VERSION_MIN", "1.3")]).expect("valid");
        assert_eq!(settings.tls.map(|tls| tls.version_min), Some(TlsVersion::Tls13));
    }

    #[test]
    fn secrets_are_one_a_line_or_between_commas() {
        let settings = resolve(&[
            ("SPYHOP_AUTH_INGEST_TOKENS", "one,two"),
            ("SPYHOP_AUTH_BASIC", "ann:pass:word\nbob:x"),
            ("SPYHOP_AUTH_HEADER", "X-Api-Key"),
        ]);
        let auth = settings.expect("valid").auth;
        assert_eq!(auth.ingest_tokens, ["one", "two"]);
        assert_eq!(auth.users, ["ann:pass:word", "bob:x"]);
        assert_eq!(auth.header.expect("a name").as_str(), "x-api-key");
        let check = |variable: &str, value: &str, expect: bool| {
            assert_eq!(resolve(&[(variable, value)]).is_ok(), expect, "{variable}={value}");
        };
        check("SPYHOP_AUTH_INGEST_TOKENS", "with space", false);
        check("SPYHOP_AUTH_API_TOKENS", "größe", false);
        check("SPYHOP_AUTH_BASIC", "ann", false);
        check("SPYHOP_AUTH_BASIC", ":x", false);
        check("SPYHOP_AUTH_BASIC", "ann:", false);
        check("SPYHOP_AUTH_BASIC", "bö:grün", true);
        check("SPYHOP_AUTH_HEADER", "x api", false);
        check("SPYHOP_AUTH_HEADER", "authorization", true);
        check("SPYHOP_LIMITS_TENANT_RECORDS_PER_SECOND", "0", true);
        check("SPYHOP_LIMITS_TENANT_RECORDS_PER_SECOND", "-1", false);
    }
}
