//! What a sender put on the wire, what came back, and what of it is stored.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use testkit::{Client, Exchange, Outcome};

/// One body, sent once or again and again.
#[derive(Debug, Default)]
struct Sent {
    marks: Vec<String>,
    /// Times of data points in it.
    times: BTreeSet<u64>,
    tries: u32,
    successes: u32,
    /// Tries after one that was a success.
    after_success: u32,
}

/// Everything that a sender put on the wire.
#[derive(Debug, Default)]
pub struct Wire {
    bodies: Vec<Sent>,
    outcomes: BTreeMap<Outcome, u32>,
}

impl Wire {
    /// Sorts out what a relay has kept.
    pub fn of(exchanges: &[Exchange]) -> Wire {
        let mut wire = Wire::default();
        let mut known: BTreeMap<(&str, &[u8]), usize> = BTreeMap::new();
        for exchange in exchanges {
            *wire.outcomes.entry(exchange.outcome).or_default() += 1;
            let at = *known.entry((&exchange.path, &exchange.message)).or_insert_with(|| {
                let (marks, times) = (marks(&exchange.message), point_times(&exchange.message));
                wire.bodies.push(Sent { marks, times, ..Sent::default() });
                wire.bodies.len() - 1
            });
            let sent = &mut wire.bodies[at];
            sent.tries += 1;
            sent.after_success += u32::from(sent.successes > 0);
            sent.successes += u32::from(exchange.outcome.is_success());
        }
        wire
    }

    /// Marks of spans and log records whose sender was told that they are stored.
    pub fn acknowledged(&self) -> impl Iterator<Item = &str> {
        let marks = self.bodies.iter().filter(|sent| sent.successes > 0).flat_map(|sent| &sent.marks);
        marks.filter(|mark| !is_point(mark)).map(String::as_str).collect::<BTreeSet<_>>().into_iter()
    }

    /// How many bodies each mark of a span or log record is in.
    fn bodies_by_mark(&self) -> BTreeMap<&str, u32> {
        let mut counts = BTreeMap::new();
        for mark in self.bodies.iter().flat_map(|sent| &sent.marks).filter(|mark| !is_point(mark)) {
            *counts.entry(mark.as_str()).or_default() += 1;
        }
        counts
    }

    /// Data points in bodies that were acknowledged, and in all.
    fn points(&self) -> (i64, i64) {
        let points = |sent: &Sent| sent.marks.iter().filter(|mark| is_point(mark)).count() as i64;
        let acknowledged = self.bodies.iter().filter(|sent| sent.successes > 0).map(points).sum();
        (acknowledged, self.bodies.iter().map(points).sum())
    }
}

fn is_point(mark: &str) -> bool {
    mark.starts_with("point")
}

/// Marks in a message, whatever its encoding: a word, then six digits between two signs.
fn marks(message: &[u8]) -> Vec<String> {
    const WORDS: [&[u8]; 3] = [b"span #", b"log #", b"point #"];
    let ends = message
        .windows(8)
        .enumerate()
        .filter(|(_, window)| window[0] == b'#' && window[7] == b'#' && window[1..7].iter().all(u8::is_ascii_digit));
    let marks = ends.filter_map(|(at, _)| {
        let word = WORDS.iter().find(|word| message[..=at].ends_with(word))?;
        Some(String::from_utf8_lossy(&message[at + 1 - word.len()..at + 8]).into_owned())
    });
    marks.collect()
}

/// What was seen of one sender.
#[derive(Debug, Default)]
pub struct Seen {
    pub requests: u32,
    pub outcomes: BTreeMap<Outcome, u32>,
    /// Bodies that were sent more than once, and the most tries of one.
    pub sent_again: u32,
    pub tries_max: u32,
    /// Tries of a body that had been acknowledged.
    pub after_success: u32,
    /// Spans and log records made and never acknowledged.
    pub dropped: u32,
    /// Spans and log records put into more than one body.
    pub repacked: u32,
    /// Spans and log records stored more than once.
    pub stored_twice: u32,
}

impl Seen {
    /// Compares the wire with what is stored: nothing acknowledged is lost, nothing is stored more often than it was
    /// sent in different bodies. `made` is how many spans and log records the sender made.
    pub async fn check(client: &Client, name: &str, exchanges: &[Exchange], made: u32) -> Result<Seen> {
        let wire = Wire::of(exchanges);
        let stored = stored(client, name).await?;
        let lost: Vec<&str> = wire.acknowledged().filter(|mark| !stored.contains_key(*mark)).collect();
        ensure!(lost.is_empty(), "{name}: {} records were acknowledged and are not stored: {lost:?}", lost.len());
        let bodies = wire.bodies_by_mark();
        for (mark, count) in &stored {
            let most = bodies.get(mark.as_str()).copied().unwrap_or_default();
            ensure!(*count <= i64::from(most), "{name}: {mark} was sent in {most} bodies and is stored {count} times");
        }
        check_points(client, name, &wire).await?;
        let again = wire.bodies.iter().filter(|sent| sent.tries > 1);
        Ok(Seen {
            requests: exchanges.len() as u32,
            sent_again: again.count() as u32,
            tries_max: wire.bodies.iter().map(|sent| sent.tries).max().unwrap_or_default(),
            after_success: wire.bodies.iter().map(|sent| sent.after_success).sum(),
            dropped: made - wire.acknowledged().count() as u32,
            repacked: bodies.values().filter(|count| **count > 1).count() as u32,
            stored_twice: stored.values().filter(|count| **count > 1).count() as u32,
            outcomes: wire.outcomes,
        })
    }

    /// A row of the table in `docs/clients.md`.
    pub fn row(&self, name: &str) -> String {
        let outcomes: Vec<String> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| match outcome {
                Outcome::Http(status) => format!("{count} × {status}"),
                Outcome::Grpc(code) => format!("{count} × grpc {code}"),
                Outcome::Broken => format!("{count} × no answer"),
            })
            .collect();
        format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.requests,
            outcomes.join(", "),
            self.sent_again,
            self.tries_max,
            self.after_success,
            self.dropped,
            self.repacked,
            self.stored_twice
        )
    }

    /// The head of that table.
    pub fn head() -> &'static str {
        "| client | requests | answers | bodies sent again | most tries | sent after success | dropped | in two bodies \
         | stored twice |\n|---|---|---|---|---|---|---|---|---|"
    }
}

/// Marks that are stored, and how often.
pub async fn stored(client: &Client, name: &str) -> Result<BTreeMap<String, i64>> {
    let mut stored = BTreeMap::new();
    for (table, column) in [("spans", "name"), ("logs", "body")] {
        let query = format!(
            "select {column}, count(*) from {table} where service_name = '{name}' and {column} like '%#' group by {column}"
        );
        for row in client.sql(&query).await?.rows {
            let mark = row[0].as_str().unwrap_or_default().to_owned();
            stored.insert(mark, row[1].as_i64().unwrap_or_default());
        }
    }
    Ok(stored)
}

/// Data points stored of a sender.
pub async fn stored_points(client: &Client, name: &str) -> Result<i64> {
    client.sql_count(&format!("select count(*) {}", points_of(name))).await
}

fn points_of(name: &str) -> String {
    format!(
        "from points where metric = 'client.points' and series_id in \
         (select series_id from series where metric = 'client.points' and service_name = '{name}')"
    )
}

async fn check_points(client: &Client, name: &str, wire: &Wire) -> Result<()> {
    let (acknowledged, sent) = wire.points();
    let stored = stored_points(client, name).await?;
    ensure!(
        (acknowledged..=sent).contains(&stored),
        "{name}: {stored} points are stored; {acknowledged} were acknowledged, {sent} sent"
    );
    let points = points_of(name);
    let twice = format!(
        "select cast(time as bigint), max(times) from \
         (select time, count(*) as times {points} group by series_id, time) t group by time having max(times) > 1"
    );
    for row in client.sql(&twice).await?.rows {
        let (time, times) = (row[0].as_u64().unwrap_or_default(), row[1].as_u64().unwrap_or_default());
        let bodies = wire.bodies.iter().filter(|sent| sent.times.contains(&time)).count() as u64;
        ensure!(times <= bodies, "{name}: points of {time} were sent in {bodies} bodies and are stored {times} times");
    }
    Ok(())
}

/// Times of data points in a message, whatever its encoding.
fn point_times(message: &[u8]) -> BTreeSet<u64> {
    // Protobuf has them as field 3 of a point, of eight bytes; JSON as digits.
    let fixed = message.windows(9).filter(|window| window[0] == 3 << 3 | 1);
    let fixed = fixed.filter_map(|window| Some(u64::from_le_bytes(*window[1..].first_chunk()?)));
    let digits = message.split(|byte| !byte.is_ascii_digit()).filter(|digits| digits.len() == 19);
    let digits = digits.filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    fixed.chain(digits).collect()
}

#[test]
fn marks_are_found_in_any_encoding() {
    let check = |message: &[u8], expect: &[&str]| assert_eq!(marks(message), expect);
    check(br#"{"body":{"stringValue":"log #000017#"},"name":"span #000018#"}"#, &["log #000017#", "span #000018#"]);
    check(b"\x0a\x0dpoint #000000#\x12\x01x#000001#\x0alog #00000a#", &["point #000000#"]);
    check(b"log #12345", &[]);
}
