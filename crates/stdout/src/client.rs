//! The HTTP client that every sender shares, and why it got no answer, in words.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{AlertDescription, CertificateError};

use crate::tls::Tls;

/// Sends requests over HTTP/1.1, with TLS where the address is https.
pub type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// How long a connection that nobody uses is kept.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// A client; `connect_max` bounds the way to a connection without TLS, which is bounded by whoever waits for an answer.
pub fn http_client(tls: &Tls, connect_max: Duration) -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(connect_max));
    connector.set_nodelay(true);
    connector.enforce_http(false);
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls.0.clone()).https_or_http();
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_MAX);
    client.build(builder.enable_http1().wrap_connector(connector))
}

/// The innermost reason of an error is what a person can act on.
pub fn in_words(error: &(dyn Error + 'static)) -> String {
    if let Some(words) = tls_reason(error) {
        return words;
    }
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        words = inner.to_string();
        source = inner.source();
    }
    words
}

/// Why there is no TLS with the server, where that is the reason. It mostly lasts until somebody changes something.
pub fn tls_reason(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(words_of(error));
        }
        // What an I/O error is made of is not its source, but itself.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

fn words_of(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::AlertReceived(alert) => of_alert(*alert),
        rustls::Error::InvalidMessage(_) => {
            "the server speaks no TLS on this port: write http://, or name the port that does".to_owned()
        }
        error => format!("no TLS with the server: {error}"),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "the server's certificate is of an authority that is not trusted here: name \
            the authority's with --ca-file or OTEL_EXPORTER_OTLP_CERTIFICATE"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name: name the server as its certificate does".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has ended: renew it, or set this machine's clock".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: set this machine's clock".to_owned()
        }
        // What is made in one command is mostly such a certificate, and no type tells it from others.
        error if format!("{error:?}").contains("CaUsedAsEndEntity") => {
            "the server's certificate is that of an authority: have it sign one for the server, with CA:FALSE"
                .to_owned()
        }
        error => format!("the server's certificate is no good: {error}"),
    }
}

fn of_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => "the server wants a client's certificate: name one with \
            --client-certificate and --client-key, or OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY"
            .to_owned(),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::DecryptError => {
            "the server does not take our client's certificate: name one that it trusts and that has not ended"
                .to_owned()
        }
        alert => format!("the server refused to speak TLS with us ({alert:?})"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[test]
    fn reasons_are_found_however_deep_they_lie() {
        let check = |error: io::Error, expect: &str| {
            let words = in_words(&error);
            assert!(words.contains(expect), "{words}");
        };
        let wrapped = |error: rustls::Error| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
        check(wrapped(CertificateError::UnknownIssuer.into()), "--ca-file");
        check(wrapped(CertificateError::NotValidForName.into()), "another name");
        check(wrapped(CertificateError::Expired.into()), "has ended");
        check(wrapped(CertificateError::BadEncoding.into()), "is no good");
        let of_authority = OtherError(Arc::new(io::Error::other("CaUsedAsEndEntity")));
        check(wrapped(CertificateError::Other(of_authority).into()), "that of an authority");
        check(wrapped(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)), "--client-certificate");
        check(wrapped(rustls::Error::AlertReceived(AlertDescription::UnknownCA)), "does not take");
        check(wrapped(rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)), "ProtocolVersion");
        check(io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused)), "connection refused");
        check(io::ErrorKind::ConnectionRefused.into(), "connection refused");
    }
}
