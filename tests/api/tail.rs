//! The live tail: each acknowledged record once, in order, whatever happens to the server meanwhile.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use api::{LogRecord, TailEvent};
use testkit::proto::ExportLogsServiceRequest;
use testkit::proto::common::v1::{AnyValue, any_value};
use testkit::proto::logs::v1::{LogRecord as SentRecord, ResourceLogs, ScopeLogs};
use testkit::{Client, Events, Patience, Payload, Server, ServerEvent, ServerSettings, Signal, now_unix_nano};

use crate::TestResult;

const PATIENCE: Duration = Duration::from_secs(30);

/// A request of records whose bodies are `line <number>`; those divisible by 10 are `fizz <number>` too.
fn request(numbers: std::ops::Range<usize>) -> Payload {
    let now = now_unix_nano();
    let record = |number: usize| {
        let more = if number.is_multiple_of(10) { " fizz" } else { "" };
        SentRecord {
            // Times run backwards: the order of a tail is that of arrival.
            time_unix_nano: (now - number as i64 * 1_000_000) as u64,
            severity_number: 9,
            body: Some(AnyValue { value: Some(any_value::Value::StringValue(format!("line {number}{more}"))) }),
            ..SentRecord::default()
        }
    };
    let scope_logs = ScopeLogs { log_records: numbers.map(record).collect(), ..ScopeLogs::default() };
    let resource_logs = ResourceLogs { scope_logs: vec![scope_logs], ..ResourceLogs::default() };
    Payload::protobuf(Signal::Logs, &ExportLogsServiceRequest { resource_logs: vec![resource_logs] })
}

fn number(record: &LogRecord) -> Result<usize> {
    let body = record.body.as_str().context("a text")?;
    Ok(body.split(' ').nth(1).context("a number")?.parse()?)
}

/// A listener that comes back as a browser does, and what it has got.
struct Listener {
    client: Client,
    path: String,
    events: Option<Events>,
    place: Option<String>,
    numbers: Vec<usize>,
    dropped: u64,
    notes: Vec<String>,
    connections: usize,
}

impl Listener {
    async fn start(client: &Client, parameters: &str) -> Result<Listener> {
        let path = format!("{}?{parameters}", api::paths::LOGS_TAIL);
        let mut listener = Listener {
            client: client.clone(),
            path,
            events: None,
            place: None,
            numbers: Vec::new(),
            dropped: 0,
            notes: Vec::new(),
            connections: 0,
        };
        let greeting = listener.step().await?.context("a greeting")?;
        assert!(greeting.data.is_empty() && greeting.id.is_some(), "{greeting:?}");
        Ok(listener)
    }

    /// The next event, connecting where there is no connection; none where it was lost.
    async fn step(&mut self) -> Result<Option<ServerEvent>> {
        if self.events.is_none() {
            match self.client.events(&self.path, self.place.as_deref()).await {
                Ok(events) => self.events = Some(events),
                Err(error) if self.connections == 0 => return Err(error),
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    return Ok(None);
                }
            }
            self.connections += 1;
        }
        let Some(events) = &mut self.events else { return Ok(None) };
        let event = match events.next(PATIENCE).await {
            Ok(Some(event)) => event,
            Ok(None) | Err(_) => {
                self.events = None;
                return Ok(None);
            }
        };
        if event.name == "logs" {
            let tail: TailEvent = serde_json::from_str(&event.data)?;
            self.numbers.extend(tail.logs.iter().map(number).collect::<Result<Vec<usize>>>()?);
            self.dropped += tail.dropped;
            self.notes.extend(tail.incomplete_because);
        }
        self.place = event.id.clone().or(self.place.take());
        Ok(Some(event))
    }

    /// Listens until so many records have come or were counted.
    async fn until(&mut self, count: usize) -> Result<()> {
        let begun = Instant::now();
        while self.numbers.len() + (self.dropped as usize) < count {
            self.step().await?;
            if begun.elapsed() > 2 * PATIENCE {
                bail!("{} records and {} dropped of {count}", self.numbers.len(), self.dropped);
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn records_are_shown_within_half_a_second_of_their_acknowledgement() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    client.send(&request(0..50)).await?;
    let mut all = Listener::start(&client, "").await?;
    let mut some = Listener::start(&client, "query=fizz").await?;
    let mut delays = Vec::new();
    for round in 1..=20 {
        assert_eq!(client.send(&request(round * 50..round * 50 + 50)).await?.status, 200);
        let acknowledged = Instant::now();
        all.until(round * 50).await?;
        delays.push(acknowledged.elapsed());
    }
    some.until(100).await?;
    delays.sort();
    eprintln!("20 events after their acknowledgement: half within {:?}, all within {:?}", delays[10], delays[19]);
    assert!(delays[10] < Duration::from_millis(500), "{delays:?}");
    assert_eq!(all.numbers, (50..1_050).collect::<Vec<_>>(), "in the order of acknowledgement, from now on");
    assert_eq!(some.numbers, (50..1_050).filter(|number| number % 10 == 0).collect::<Vec<_>>());

    let mut last = Listener::start(&client, "last=70").await?;
    last.until(70).await?;
    server.compact_now().await?;
    let mut of_files = Listener::start(&client, "last=7&query=fizz").await?;
    of_files.until(7).await?;
    client.send(&request(1_050..1_060)).await?;
    last.until(80).await?;
    of_files.until(8).await?;
    assert_eq!(last.numbers, (980..1_060).collect::<Vec<_>>());
    assert_eq!(of_files.numbers.len(), 8, "{:?}", of_files.numbers);
    assert_eq!(of_files.numbers.last(), Some(&1_050));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_and_flushes_lose_nothing_and_repeat_nothing() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let mut listener = Listener::start(&client, "").await?;
    let sender = client.clone();
    const REQUESTS: usize = 600;
    let sending = tokio::spawn(async move {
        for at in 0..REQUESTS {
            sender.send_until_acknowledged(&request(at * 5..at * 5 + 5), Patience::default()).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    });
    let listening = tokio::spawn(async move {
        listener.until(REQUESTS * 5).await?;
        anyhow::Ok(listener)
    });
    let mut killed = 0;
    for cycle in 0.. {
        if sending.is_finished() {
            break;
        }
        let mut flush = server.command(&["compact", "--now"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        tokio::time::sleep(Duration::from_millis(400)).await;
        if let Some(role) = ["query", "ingest", "compact", ""].get(cycle % 4).filter(|role| !role.is_empty()) {
            killed += usize::from(server.kill_role(role)?);
        }
        server.wait_until_ready().await?;
        tokio::time::sleep(Duration::from_millis(600)).await;
        let _ = flush.kill();
        flush.wait()?;
    }
    sending.await??;
    let listener = listening.await??;
    eprintln!("{killed} kills, {} connections", listener.connections);
    assert!(killed >= 5 && listener.connections >= 3, "too little happened: {killed}, {}", listener.connections);
    assert_eq!((listener.dropped, &listener.notes), (0, &Vec::new()));
    assert!(listener.numbers == (0..REQUESTS * 5).collect::<Vec<_>>(), "{}", differences(&listener.numbers));
    Ok(())
}

/// Where the numbers do not follow one another.
fn differences(numbers: &[usize]) -> String {
    let breaks = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).take(10);
    format!("{} numbers, breaks at {:?}", numbers.len(), breaks.collect::<Vec<_>>())
}

#[tokio::test]
async fn what_comes_faster_than_it_may_be_shown_is_counted() -> TestResult {
    let settings = ServerSettings::default().with("SPYHOP_QUERY_TAIL_RECORDS_PER_SECOND_MAX", "100");
    let server = Server::start(settings).await?;
    let client = server.client();
    let mut listener = Listener::start(&client, "").await?;
    for at in 0..20 {
        client.send(&request(at * 500..at * 500 + 500)).await?;
    }
    listener.until(10_000).await?;
    assert_eq!(listener.numbers.len() + listener.dropped as usize, 10_000);
    assert!(listener.dropped > 5_000, "{} dropped", listener.dropped);
    assert!(listener.numbers.is_sorted() && listener.numbers.last() == Some(&9_999), "the newest are shown");
    Ok(())
}

#[tokio::test]
async fn a_tail_shows_that_it_lives_and_there_are_only_so_many() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_QUERY_TAIL_STREAMS_MAX", "2")
        .with("SPYHOP_QUERY_TAIL_HEARTBEAT", "300ms");
    let mut server = Server::start(settings).await?;
    let client = server.client();
    let mut first = Listener::start(&client, "query=nowhere").await?;
    let second = Listener::start(&client, "").await?;
    let refused = client.get(api::paths::LOGS_TAIL).await?;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    assert!(refused.json::<api::Problem>()?.detail.contains("SPYHOP_QUERY_TAIL_STREAMS_MAX"), "{}", refused.text());
    drop(second);
    let begun = Instant::now();
    while Listener::start(&client, "").await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the place of a listener that left is free again");
    }
    let place = first.place.clone();
    client.send(&request(0..10)).await?;
    while first.place == place {
        let beat = first.step().await?.context("it goes on")?;
        assert_eq!(beat.comment, "heartbeat", "{beat:?}");
    }
    assert!(first.numbers.is_empty(), "what does not match is passed over");
    let begun = Instant::now();
    let status = server.stop().await?;
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for a tail: {:?}", begun.elapsed());
    while first.step().await?.is_some() {}
    Ok(())
}

#[tokio::test]
async fn the_command_prints_records_and_comes_back() -> TestResult {
    let mut server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let endpoint = client.api_url().to_owned();
    client.send(&request(0..30)).await?;
    let start = |server: &Server, arguments: &[&str]| -> Result<(std::process::Child, tempfile::NamedTempFile)> {
        let out = tempfile::NamedTempFile::new()?;
        let mut command = server.command(&["tail", "--endpoint", &endpoint]);
        command.args(arguments).stdin(Stdio::null()).stdout(out.reopen()?).stderr(Stdio::null());
        Ok((command.spawn()?, out))
    };
    let (mut lines, lines_out) = start(&server, &["--last", "5"])?;
    let (mut json, json_out) = start(&server, &["--json", "--last", "0", "--query", "fizz"])?;
    let printed = async |out: &tempfile::NamedTempFile, count: usize| -> Result<Vec<String>> {
        let begun = Instant::now();
        loop {
            let lines: Vec<String> = std::fs::read_to_string(out.path())?.lines().map(str::to_owned).collect();
            if lines.len() >= count {
                return Ok(lines);
            }
            if begun.elapsed() > PATIENCE {
                bail!("{} lines of {count}: {lines:?}", lines.len());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    printed(&lines_out, 5).await?;
    // The other one has begun once it shows what is sent from now on.
    let mut next = 30;
    while std::fs::read_to_string(json_out.path())?.is_empty() {
        client.send(&request(next..next + 10)).await?;
        next += 10;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    server.restart().await?;
    client.send(&request(next..next + 10)).await?;
    next += 10;
    let text = printed(&lines_out, 5 + next - 30).await?;
    for (line, number) in text.iter().zip(25..) {
        assert!(line.contains(&format!(" INFO  -  line {number}")), "{number}: {line}");
        assert!(!line.contains('\u{1b}'), "no colours in a file: {line}");
    }
    let objects = printed(&json_out, 1).await?;
    let first: LogRecord = serde_json::from_str(&objects[0])?;
    assert_eq!(number(&first)? % 10, 0);
    for child in [&mut lines, &mut json] {
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "Ctrl-C ends it");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(status.code(), Some(0));
    }
    let wrong = server.run(&["tail", "--endpoint", &endpoint, "--query", "(open"]).await?;
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("400"), "{wrong:?}");
    let away = server.run(&["tail", "--endpoint", "http://127.0.0.1:9"]).await?;
    assert_eq!(away.status.code(), Some(1), "{away:?}");
    assert!(String::from_utf8_lossy(&away.stderr).contains("is 'spyhop serve' running?"), "{away:?}");
    Ok(())
}
