//! Where records go, read from flags and the variables that OpenTelemetry names.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::error::StdoutError;
use crate::resource;
use crate::tls::{Tls, TlsFlags};

/// Where nothing else is named.
const DEFAULT: &str = "http://127.0.0.1:4318";
/// Path of logs behind an endpoint for all signals.
const LOGS_PATH: &str = "/v1/logs";

/// What flags say; what they leave out, variables may.
#[derive(Debug, Clone, Default)]
pub struct EndpointFlags {
    /// Base address; the path of logs is added.
    pub endpoint: Option<String>,
    /// Headers as `name=value`.
    pub headers: Vec<String>,
    /// `gzip` or `none`.
    pub compression: Option<String>,
    /// Longest wait for an answer.
    pub timeout: Option<Duration>,
    /// Files for TLS.
    pub tls: TlsFlags,
}

/// Where and how records are sent.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) gzip: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) tls: Tls,
}

impl Endpoint {
    /// Resolves flags and the environment.
    ///
    /// # Errors
    /// The first of them that cannot be followed.
    pub fn resolve(flags: &EndpointFlags, variable: &dyn Fn(&str) -> Option<String>) -> Result<Endpoint, StdoutError> {
        let variable = |name: &str| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let named = |name: &str| variable(name).map(|text| (name.to_owned(), text));
        // The variable of logs alone is used as it is; the path is added to the others.
        let base = flags.endpoint.clone().map(|endpoint| ("--endpoint".to_owned(), endpoint));
        let uri = match (base, named("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")) {
            (None, Some((origin, endpoint))) => parse(&origin, &endpoint, "")?,
            (base, _) => {
                let base = base.or_else(|| named("OTEL_EXPORTER_OTLP_ENDPOINT"));
                let (origin, endpoint) = base.unwrap_or_else(|| ("the default".to_owned(), DEFAULT.to_owned()));
                parse(&origin, &endpoint, LOGS_PATH)?
            }
        };
        let mut headers = HeaderMap::new();
        for name in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_LOGS_HEADERS"] {
            if let Some(list) = variable(name) {
                headers.extend(self::headers(name, &list)?);
            }
        }
        for pair in &flags.headers {
            headers.extend(self::headers("--header", pair)?);
        }
        let first = |names: [&str; 2]| names.iter().find_map(|name| named(name));
        let compression = flags
            .compression
            .clone()
            .map(|text| ("--compression".to_owned(), text))
            .or_else(|| first(["OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"]));
        let gzip = match compression {
            None => true,
            Some((_, text)) if text.eq_ignore_ascii_case("gzip") => true,
            Some((_, text)) if text.eq_ignore_ascii_case("none") => false,
            Some((origin, value)) => {
                return Err(StdoutError::Setting { origin, value, advice: "write gzip or none" });
            }
        };
        let timeout = first(["OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"])
            .map(|(origin, value)| match value.parse() {
                Ok(milliseconds) if milliseconds > 0 => Ok(Duration::from_millis(milliseconds)),
                _ => Err(StdoutError::Setting { origin, value, advice: "write milliseconds such as 10000" }),
            })
            .transpose()?;
        let tls = Tls::resolve(&uri.to_string(), &flags.tls, "LOGS_", &variable)?;
        Ok(Endpoint { uri, headers, gzip, timeout: flags.timeout.or(timeout), tls })
    }
}

impl Endpoint {
    /// Where a signal goes: beside logs where their path is the usual one, else to the same place.
    pub(crate) fn uri_of(&self, path: &str) -> Uri {
        let text = self.uri.to_string();
        let beside = text.strip_suffix(LOGS_PATH).and_then(|base| format!("{base}{path}").parse().ok());
        beside.unwrap_or_else(|| self.uri.clone())
    }
}

fn parse(origin: &str, endpoint: &str, path: &str) -> Result<Uri, StdoutError> {
    let wrong = || StdoutError::Endpoint { origin: origin.to_owned(), endpoint: endpoint.to_owned() };
    let with_path = format!("{}{path}", endpoint.trim_end_matches('/'));
    let uri: Uri = if path.is_empty() { endpoint.parse() } else { with_path.parse() }.map_err(|_| wrong())?;
    let fine = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty())
        && uri.query().is_none();
    fine.then_some(uri).ok_or_else(wrong)
}

/// Headers from a list such as `authorization=Bearer%20token,x-a=1`, which `origin` names. Their values may be secret
/// and are not shown.
///
/// # Errors
/// The first that cannot be sent.
pub fn headers(origin: &str, list: &str) -> Result<HeaderMap, StdoutError> {
    let wrong = |name: &str| StdoutError::Header { origin: origin.to_owned(), name: name.to_owned() };
    let (pairs, complaint) = resource::pairs(list);
    if complaint.is_some() {
        return Err(wrong(list.split('=').next().unwrap_or_default()));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let parsed = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value).ok());
        let (parsed, mut value) = parsed.ok_or_else(|| wrong(&name))?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(flags: EndpointFlags, variables: &[(&str, &str)]) -> Result<Endpoint, StdoutError> {
        Endpoint::resolve(&flags, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn headers_are_read_as_exporters_read_them() {
        let check = |list: &str, expect: Option<&[(&str, &str)]>| {
            let expect = expect.map(|pairs| {
                let pairs =
                    pairs.iter().map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value")));
                pairs.collect::<HeaderMap>()
            });
            assert_eq!(headers("a list", list).ok(), expect, "{list}");
        };
        check("", Some(&[]));
        check("authorization=Bearer%20abc%3D, x-a=1,", Some(&[("authorization", "Bearer abc="), ("x-a", "1")]));
        check("authorization", None);
        check("a=%2", None);
        check("a=%zz", None);
        check("a b=c", None);
        let error = headers("--header", "x-a=gue\nssed").expect_err("a line break").to_string();
        assert!(error.contains("x-a") && !error.contains("gue"), "{error}");
    }

    #[test]
    fn addresses() {
        let check = |flag: Option<&str>, variables: &[(&str, &str)], expect: &str| {
            let flags = EndpointFlags { endpoint: flag.map(str::to_owned), ..EndpointFlags::default() };
            let found = resolve(flags, variables).map(|endpoint| endpoint.uri.to_string());
            assert_eq!(found.as_deref(), Ok(expect), "{flag:?} {variables:?}");
        };
        const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        const LOGS: &str = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT";
        check(None, &[], "http://127.0.0.1:4318/v1/logs");
        check(None, &[(ALL, "")], "http://127.0.0.1:4318/v1/logs");
        check(None, &[(ALL, "http://collector:4318/")], "http://collector:4318/v1/logs");
        check(None, &[(ALL, "http://collector:4318/otlp")], "http://collector:4318/otlp/v1/logs");
        check(None, &[(ALL, "http://a:1"), (LOGS, "http://b:2/logs")], "http://b:2/logs");
        check(Some("http://c:3"), &[(ALL, "http://a:1"), (LOGS, "http://b:2/logs")], "http://c:3/v1/logs");
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        let check = |flags: EndpointFlags, variables: &[(&str, &str)], words: &[&str]| {
            let said = resolve(flags, variables).map(|_| ()).expect_err("must fail").to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
        };
        let flag = |endpoint: &str| EndpointFlags { endpoint: Some(endpoint.to_owned()), ..EndpointFlags::default() };
        check(flag("localhost:4318"), &[], &["--endpoint", "localhost:4318", "http://127.0.0.1:4318"]);
        check(flag("https://"), &[], &["--endpoint", "'https://'"]);
        check(
            EndpointFlags::default(),
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x")],
            &["OTEL_EXPORTER_OTLP_ENDPOINT"],
        );
        check(EndpointFlags::default(), &[("OTEL_EXPORTER_OTLP_HEADERS", "a b=c")], &["'a b'"]);
        check(EndpointFlags::default(), &[("OTEL_EXPORTER_OTLP_COMPRESSION", "br")], &["'br'", "gzip"]);
        check(EndpointFlags::default(), &[("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")], &["'soon'", "milliseconds"]);
        let secret = EndpointFlags { headers: vec!["x-key".to_owned()], ..EndpointFlags::default() };
        check(secret, &[], &["--header", "x-key"]);
    }

    #[test]
    fn headers_compression_and_timeout() {
        let flags = EndpointFlags { headers: vec!["x-key=two".to_owned()], ..EndpointFlags::default() };
        let variables = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=one,authorization=Bearer%20abc"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
        ];
        let endpoint = resolve(flags, &variables).expect("fine");
        assert_eq!(endpoint.headers["x-key"], "two");
        assert_eq!(endpoint.headers["authorization"], "Bearer abc");
        assert!(!endpoint.gzip);
        assert_eq!(endpoint.timeout, Some(Duration::from_millis(250)));
        assert!(
            resolve(EndpointFlags::default(), &[]).is_ok_and(|endpoint| endpoint.gzip && endpoint.timeout.is_none())
        );
    }
}
