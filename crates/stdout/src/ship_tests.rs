//! Requests on the wire, against a server that answers as it is told.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use testkit::Message;
use testkit::proto::ExportLogsServiceRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::endpoint::EndpointFlags;
use crate::resource::Origins;
use crate::tls::TlsFlags;

/// A server of raw HTTP that gives these answers in turn, the last one for ever, and keeps the bodies.
struct Server {
    address: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    async fn start(answers: &'static [&'static str]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = bodies.clone();
        let next = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (kept, next) = (kept.clone(), next.clone());
                tokio::spawn(async move {
                    let mut bytes = Vec::new();
                    while let Some(body) = request(&mut stream, &mut bytes).await {
                        kept.lock().expect("lock").push(body);
                        let place = next.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
                        if answers[place].is_empty() {
                            // No answer at all.
                            return;
                        }
                        let end = if answers[place].contains("\r\n\r\n") { "" } else { "\r\n\r\n" };
                        let answer = format!("HTTP/1.1 {}{end}", answers[place]);
                        stream.write_all(answer.as_bytes()).await.expect("write");
                    }
                });
            }
        });
        Server { address, bodies }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        self.bodies.lock().expect("lock").clone()
    }
}

/// Reads one request and returns its body.
async fn request(stream: &mut tokio::net::TcpStream, bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            assert!(head.contains("content-type: application/x-protobuf") && head.contains("x-key: one"), "{head}");
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            let length: usize = length.expect("a length");
            if bytes.len() >= end + 4 + length {
                let body = bytes[end + 4..end + 4 + length].to_vec();
                bytes.drain(..end + 4 + length);
                return Some(body);
            }
        }
        let mut read = [0; 65_536];
        let count = stream.read(&mut read).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&read[..count]);
    }
}

type Said = Arc<Mutex<Vec<String>>>;

fn shipper(address: &str, change: impl FnOnce(&mut ShipOptions)) -> (Shipper, Said) {
    let flags = EndpointFlags {
        tls: TlsFlags::default(),
        endpoint: Some(address.to_owned()),
        headers: vec!["x-key=one".to_owned()],
        compression: Some("none".to_owned()),
        timeout: None,
    };
    let mut options = ShipOptions {
        endpoint: Endpoint::resolve(&flags, &|_| None).expect("fine"),
        batch: BatchLimits { records_max: 2, ..BatchLimits::default() },
        send: SendLimits {
            requests_max: 1,
            retry_wait: Duration::from_millis(5),
            retry_wait_max: Duration::from_millis(20),
            ..SendLimits::default()
        },
        when_full: WhenFull::DropOldest,
    };
    change(&mut options);
    let said = Said::default();
    let heard = said.clone();
    let (resource, _) = Resource::gather(&Origins::default());
    let shipper =
        Shipper::new(options, resource, move |sentence| heard.lock().expect("lock").push(sentence.to_owned()));
    (shipper, said)
}

fn put(shipper: &Shipper, texts: &[&str]) {
    let mut intake = Intake { shipper, now: 1 };
    for (place, text) in texts.iter().enumerate() {
        let mut draft = Draft::default();
        draft.begin(place as i64 + 1, None);
        draft.record.text_body(text.as_bytes());
        intake.take(&draft);
    }
}

async fn ship(shipper: &Shipper) {
    shipper.finish();
    tokio::time::timeout(Duration::from_secs(10), shipper.send()).await.expect("ends");
}

/// Bodies of the records of a request.
fn texts(body: &[u8]) -> Vec<String> {
    let request = ExportLogsServiceRequest::decode(body).expect("valid OTLP");
    let records = request.resource_logs.iter().flat_map(|logs| &logs.scope_logs).flat_map(|scope| &scope.log_records);
    records.map(|record| crate::structured::tests::show(record.body.as_ref())).collect()
}

const OK: &str = "200 OK\r\nContent-Length: 0";

#[tokio::test]
async fn requests_are_as_large_as_they_may_be() {
    let server = Server::start(&[OK]).await;
    let (shipper, said) = shipper(&server.address, |_| {});
    put(&shipper, &["a", "b", "c"]);
    ship(&shipper).await;
    let bodies: Vec<Vec<String>> = server.bodies().iter().map(|body| texts(body)).collect();
    assert_eq!(bodies, [vec!["'a'", "'b'"], vec!["'c'"]]);
    let counts = shipper.counts();
    assert_eq!((counts.records, counts.sent, counts.lost(), counts.attempts), (3, 3, 0, 2));
    assert!(said.lock().expect("lock").is_empty());
}

#[tokio::test]
async fn a_resend_is_the_same_bytes() {
    let answers = &["503 Busy\r\nContent-Length: 0", "", "429 Slow\r\nRetry-After: 0\r\nContent-Length: 0", OK];
    let server = Server::start(answers).await;
    let (shipper, _) = shipper(&server.address, |_| {});
    put(&shipper, &["a"]);
    ship(&shipper).await;
    let bodies = server.bodies();
    assert_eq!(bodies.len(), 4);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(shipper.counts().sent, 1);
}

#[tokio::test]
async fn a_refusal_is_final_and_said_once() {
    let server =
        Server::start(&["400 Bad\r\nContent-Length: 7\r\n\r\nno such", "400 Bad\r\nContent-Length: 0", OK]).await;
    let (shipper, said) = shipper(&server.address, |_| {});
    put(&shipper, &["a", "b", "c", "d", "e"]);
    ship(&shipper).await;
    let counts = shipper.counts();
    assert_eq!((counts.rejected, counts.sent), (4, 1));
    let said = said.lock().expect("lock").clone();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("refused 2 log records: 400 Bad Request: no such"), "{said:?}");
}

#[tokio::test]
async fn partial_success_is_counted() {
    // partial_success { rejected_log_records: 1, error_message: "bad" }
    let server = Server::start(&["200 OK\r\nContent-Length: 9\r\n\r\n\x0a\x07\x08\x01\x12\x03bad"]).await;
    let (shipper, said) = shipper(&server.address, |_| {});
    put(&shipper, &["a", "b"]);
    ship(&shipper).await;
    assert_eq!((shipper.counts().sent, shipper.counts().rejected), (1, 1));
    assert!(said.lock().expect("lock")[0].ends_with("refused 1 log records: bad"));
}

#[tokio::test]
async fn what_the_spool_cannot_hold_is_dropped_counted_and_told() {
    let server = Server::start(&[OK]).await;
    let (shipper, said) = shipper(&server.address, |options| options.send.spool_bytes_max = 1_000);
    let long = "x".repeat(100);
    put(&shipper, &[long.as_str(); 20]);
    let dropped = shipper.counts().dropped;
    assert!((2..20).contains(&dropped), "{dropped}");
    ship(&shipper).await;
    let received: Vec<String> = server.bodies().iter().flat_map(|body| texts(body)).collect();
    let told: Vec<&String> = received.iter().filter(|text| text.contains("log records were dropped")).collect();
    assert_eq!(told.len(), 1, "{received:?}");
    let counts = shipper.counts();
    assert_eq!(counts.sent, received.len() as u64);
    assert_eq!(counts.records, counts.sent + counts.dropped);
    let said = said.lock().expect("lock").clone();
    assert!(said[0].contains("the spool of 1000 B is full"), "{said:?}");
    assert!(said.iter().any(|sentence| sentence.contains(&format!("{dropped} log records were dropped"))), "{said:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_named_once_and_so_is_its_return() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let (shipper, said) = shipper(&address, |_| {});
    put(&shipper, &["a"]);
    shipper.finish();
    let sent = tokio::time::timeout(Duration::from_millis(2_300), shipper.send()).await;
    assert!(sent.is_err(), "there is nobody");
    let said = said.lock().expect("lock").clone();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("takes no log records (") && said[0].contains("refused"), "{said:?}");
    assert_eq!(shipper.counts().unsent, 1, "what is in flight counts");
}

#[test]
fn loggers_and_services_are_grouped() {
    let (resource, _) = Resource::gather(&Origins::default());
    let mut batch = Batch::new(BatchLimits::default());
    for (service, scope, text) in
        [("cart", "a", "1"), ("pay", "a", "2"), ("cart", "b", "3"), ("cart", "a", "4"), ("", "", "5")]
    {
        let mut draft = Draft::default();
        draft.begin(1, None);
        draft.service.name.push_str(service);
        draft.scope.push_str(scope);
        draft.record.text_body(text.as_bytes());
        batch.add(&draft, 1);
    }
    let sealed = batch.seal(&resource).expect("records");
    assert_eq!(sealed.records, 5);
    assert!(batch.seal(&resource).is_none());
    let request = ExportLogsServiceRequest::decode(sealed.body.as_slice()).expect("valid OTLP");
    let shown: Vec<(String, Vec<(String, usize)>)> = request
        .resource_logs
        .iter()
        .map(|logs| {
            let name = logs.resource.as_ref().and_then(|resource| {
                resource
                    .attributes
                    .iter()
                    .find(|pair| pair.key == "service.name")
                    .map(|pair| crate::structured::tests::show(pair.value.as_ref()))
            });
            let scopes = logs.scope_logs.iter().map(|scope| {
                (scope.scope.as_ref().map(|scope| scope.name.clone()).unwrap_or_default(), scope.log_records.len())
            });
            (name.unwrap_or_default(), scopes.collect())
        })
        .collect();
    let scope = |name: &str, count| (name.to_owned(), count);
    assert_eq!(
        shown,
        [
            ("'unknown_service'".to_owned(), vec![scope("", 1)]),
            ("'cart'".to_owned(), vec![scope("a", 2), scope("b", 1)]),
            ("'pay'".to_owned(), vec![scope("a", 1)]),
        ]
    );
}
