//! `spyhop health`: asks a running server's `/readyz`, for health checks where there is no shell and no curl.
//!
//! The exit code is the answer: 0 when every server asked is ready, 1 when one is not. Without `--url` it asks the
//! server that these settings describe, OTLP's port and the API's. Over TLS it asks the server of these settings alone,
//! which it knows by its certificate.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use server::TlsProbe;
use tokio::time::{Instant, sleep, timeout};

use crate::failure::Failure;
use crate::logging;
use crate::settings::Settings;

/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Pause before asking again.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How much of an answer is shown.
const SHOWN_CHARS_MAX: usize = 300;

/// Asks every server until all are ready or `wait_max` is over; each is asked at least once.
pub(crate) fn run(urls: &[String], settings: &Settings, wait_max: Duration) -> Result<(), Failure> {
    let targets = match urls {
        [] => of_settings(settings),
        urls => urls.to_vec(),
    };
    let targets = targets.iter().map(|url| target(url)).collect::<Result<Vec<Uri>, Failure>>()?;
    let tls = settings.tls.as_ref().map(TlsProbe::load).transpose().map_err(|error| Failure::new(error.to_string()))?;
    if let Some(target) = targets.iter().find(|target| target.scheme_str() == Some("https") && tls.is_none()) {
        return Err(Failure::usage(format!(
            "{target} is asked over TLS with the certificate of that server: set SPYHOP_TLS_CERTIFICATE and SPYHOP_TLS_KEY \
             as it has them"
        )));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    let asker = Asker { plain: Client::builder(TokioExecutor::new()).build_http(), tls };
    runtime.block_on(ask_all(&asker, &targets, Instant::now() + wait_max))
}

/// Asks over plain HTTP and over TLS.
struct Asker {
    plain: Client<HttpConnector, Empty<Bytes>>,
    tls: Option<TlsProbe>,
}

async fn ask_all(asker: &Asker, targets: &[Uri], deadline: Instant) -> Result<(), Failure> {
    for target in targets {
        loop {
            let Err(reason) = ask(asker, target).await else { break };
            if Instant::now() + PAUSE > deadline {
                return Err(Failure::new(format!("{target} is not ready: {reason}")));
            }
            sleep(PAUSE).await;
        }
        logging::print(&format!("{target} is ready\n"));
    }
    Ok(())
}

async fn ask(asker: &Asker, target: &Uri) -> Result<(), String> {
    let exchange = async {
        let answer = match &asker.tls {
            Some(tls) if target.scheme_str() == Some("https") => ask_over_tls(tls, target).await?,
            _ => {
                let request = Request::get(target).body(Empty::new()).map_err(|error| error.to_string())?;
                asker.plain.request(request).await.map_err(|error| chain(&error))?
            }
        };
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok((status, body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default()))
    };
    match timeout(ANSWER_MAX, exchange).await {
        Ok(Ok((StatusCode::OK, _))) => Ok(()),
        Ok(Ok((status, text))) => Err(format!("{status} {}", shown(&text))),
        Ok(Err(reason)) => Err(reason),
        Err(_) => Err(format!("no answer within {} s", ANSWER_MAX.as_secs())),
    }
}

async fn ask_over_tls(tls: &TlsProbe, target: &Uri) -> Result<Response<Incoming>, String> {
    let authority = target.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let address = if target.port().is_some() { authority.to_owned() } else { format!("{authority}:443") };
    let stream = tls.connect(&address).await.map_err(|error| chain(&error))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| chain(&error))?;
    let request = Request::get(target.path()).header(header::HOST, authority).body(Empty::<Bytes>::new());
    let asked = sender.send_request(request.map_err(|error| error.to_string())?);
    // The connection ends with this command.
    tokio::spawn(connection);
    asked.await.map_err(|error| chain(&error))
}

/// An error and what caused it; hyper's own words alone are "client error (Connect)".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

fn shown(text: &str) -> String {
    text.trim().chars().take(SHOWN_CHARS_MAX).collect()
}

/// The server that the settings describe.
fn of_settings(settings: &Settings) -> Vec<String> {
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    [&settings.otlp.http_address, &settings.api.address]
        .map(|address| format!("{scheme}://{}", reachable(address)))
        .to_vec()
}

/// Where a server that listens on this address can be reached from the same machine.
fn reachable(address: &str) -> String {
    match address.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => address.to_owned(),
    }
}

/// What is asked: the URL's own path, or `/readyz` where it has none.
fn target(url: &str) -> Result<Uri, Failure> {
    let wrong =
        || Failure::usage(format!("--url is '{url}': write the address of a server such as http://127.0.0.1:4318"));
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    let path = match uri.path() {
        "" | "/" => "/readyz",
        path => path,
    };
    format!("{scheme}://{authority}{path}").parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        let check = |url: &str, expect: Option<&str>| {
            assert_eq!(target(url).ok().map(|uri| uri.to_string()).as_deref(), expect, "{url}");
        };
        check("http://spyhop:4318", Some("http://spyhop:4318/readyz"));
        check("http://spyhop:4318/", Some("http://spyhop:4318/readyz"));
        check("http://[::1]:4319/livez", Some("http://[::1]:4319/livez"));
        check("https://spyhop:4318", Some("https://spyhop:4318/readyz"));
        check("ftp://spyhop:4318", None);
        check("spyhop:4318", None);
        check("", None);
    }

    #[test]
    fn a_server_on_every_address_is_asked_on_loopback() {
        let check = |address: &str, expect: &str| assert_eq!(reachable(address), expect);
        check("0.0.0.0:4318", "127.0.0.1:4318");
        check("[::]:4318", "[::1]:4318");
        check("127.0.0.1:1", "127.0.0.1:1");
        check("localhost:4319", "localhost:4319");
    }

    #[test]
    fn a_silent_server_is_not_ready_and_says_why() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        drop(listener);
        let settings = Settings::new(&crate::settings::Resolved::defaults());
        let failure = run(&[url], &settings, Duration::ZERO).expect_err("nobody listens");
        assert!(failure.sentence.contains("is not ready") && failure.sentence.contains("refused"), "{failure:?}");
    }
}
