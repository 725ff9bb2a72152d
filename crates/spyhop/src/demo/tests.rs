//! The shop makes telemetry that hangs together.

use std::collections::{BTreeSet, HashMap};

use super::gauges::{MetricKind, Metrics};
use super::journey::{Kind, Played, Player};
use super::{payload, shop, take_until};

const NOON: i64 = 1_795_262_400_000_000_000;

fn journeys(seed: u64, count: usize) -> Vec<Played> {
    let mut player = Player::new(seed);
    (0..count).map(|number| player.play(NOON + number as i64 * 50_000_000)).collect()
}

#[test]
fn the_same_seed_makes_the_same_shop() {
    let ids = |seed| -> Vec<u64> {
        journeys(seed, 50).iter().flat_map(|played| &played.spans).map(|span| span.span_id).collect()
    };
    assert_eq!(ids(7), ids(7));
    assert_ne!(ids(7), ids(8));
}

#[test]
fn spans_hang_together() {
    for played in journeys(1, 2000) {
        let by_id: HashMap<u64, _> = played.spans.iter().map(|span| (span.span_id, span)).collect();
        assert_eq!(by_id.len(), played.spans.len(), "span ids are unique");
        assert_eq!(played.spans.iter().filter(|span| span.parent_span_id.is_none()).count(), 1, "one root");
        for span in &played.spans {
            assert!(span.end_unix_nano > span.start_unix_nano, "{}", span.name);
            for (key, value) in &span.attributes {
                let is_template = matches!(*key, "http.route" | "url.template");
                assert!(is_template || !format!("{value:?}").contains('{'), "{key} {value:?}");
            }
            let Some(parent) = span.parent_span_id.map(|id| by_id[&id]) else { continue };
            assert!(span.start_unix_nano >= parent.start_unix_nano, "{} begins in {}", span.name, parent.name);
            if span.kind != Kind::Consumer {
                assert!(span.end_unix_nano <= parent.end_unix_nano, "{} ends in {}", span.name, parent.name);
            }
        }
        for log in &played.logs {
            let span = by_id[&log.span_id];
            assert_eq!(log.trace_id, span.trace_id);
            assert!((span.start_unix_nano..=span.end_unix_nano).contains(&log.time_unix_nano), "{}", log.body);
            assert!(
                !log.body.contains("{customer}") && !log.body.contains("{ms}") && !log.body.contains("{error}"),
                "{}",
                log.body
            );
        }
    }
}

#[test]
fn there_is_something_to_look_at() {
    let journeys = journeys(2, 20_000);
    let records: usize = journeys.iter().map(|played| played.spans.len() + played.logs.len()).sum();
    let average = records as f64 / journeys.len() as f64;
    assert!((average - shop::RECORDS_PER_JOURNEY).abs() < 0.2, "{average} records a journey");
    let services: BTreeSet<usize> =
        journeys.iter().flat_map(|played| &played.spans).map(|span| span.pod.service).collect();
    assert_eq!(services.len(), 6);
    let severities: BTreeSet<u8> = journeys.iter().flat_map(|played| &played.logs).map(|log| log.severity).collect();
    assert_eq!(severities, BTreeSet::from([5, 9, 13, 17]));
    let failed = journeys.iter().filter(|played| played.spans.iter().any(|span| span.error.is_some())).count();
    assert!((50..6000).contains(&failed), "{failed} of 20000 traces have an error");
    assert!(journeys.iter().any(|played| played.spans.iter().any(|span| span.link.is_some())));
    let retried = |played: &Played| {
        played.spans.iter().any(|span| span.attributes.iter().any(|(key, _)| *key == "http.request.resend_count"))
    };
    assert!(journeys.iter().any(retried), "some calls are tried again");
}

#[test]
fn payloads_are_otlp_json() {
    let journeys = journeys(3, 200);
    let mut metrics = Metrics::default();
    metrics.open_at(NOON);
    journeys.iter().for_each(|played| metrics.count(played));
    let points = metrics.points(NOON + 5_000_000_000, Player::new(1).random());
    let kinds: BTreeSet<u8> = points.iter().map(|metric| metric.kind as u8).collect();
    assert_eq!(kinds.len(), MetricKind::Histogram as usize + 1, "every kind of metric");
    let spans: Vec<_> = journeys.into_iter().flat_map(|played| played.spans).collect();
    let traces: serde_json::Value = serde_json::from_slice(&payload::traces(&spans)).expect("JSON");
    assert!(traces["resourceSpans"].as_array().is_some_and(|list| list.len() >= 6));
    let sent = payload::metrics(&points, NOON);
    let text = String::from_utf8(sent).expect("UTF-8");
    assert!(text.contains("exemplars") && text.contains("explicitBounds") && text.contains("isMonotonic\":false"));
}

#[test]
fn only_what_is_over_is_sent() {
    let mut queue = [5, 1, 9, 3].into();
    assert_eq!(take_until(&mut queue, 4, |time| *time), [1, 3]);
    assert_eq!(queue, [5, 9]);
}
