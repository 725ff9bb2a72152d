//! `spyhop health`: asks a running server's `/readyz`, for health checks where there is no shell and no curl.
//!
//! The exit code is the answer: 0 when every server asked is ready, 1 when one is not. Without `--url` it asks the
//! server that these settings describe, OTLP's port and the API's.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(ask_all(&targets, Instant::now() + wait_max))
}

async fn ask_all(targets: &[Uri], deadline: Instant) -> Result<(), Failure> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    for target in targets {
        loop {
            let Err(reason) = ask(&client, target).await else { break };
            if Instant::now() + PAUSE > deadline {
                return Err(Failure::new(format!("{target} is not ready: {reason}")));
            }
            sleep(PAUSE).await;
        }
        logging::print(&format!("{target} is ready\n"));
    }
    Ok(())
}

async fn ask(client: &Client<HttpConnector, Empty<Bytes>>, target: &Uri) -> Result<(), String> {
    let request = Request::get(target).body(Empty::new()).map_err(|error| error.to_string())?;
    let exchange = async {
        let answer = client.request(request).await.map_err(|error| chain(&error))?;
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
    [&settings.otlp.http_address, &settings.api.address]
        .map(|address| format!("http://{}", reachable(address)))
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
    let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
    let path = match uri.path() {
        "" | "/" => "/readyz",
        path => path,
    };
    format!("http://{authority}{path}").parse().map_err(|_| wrong())
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
        check("https://spyhop:4318", None);
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
