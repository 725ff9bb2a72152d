//! Log search and histogram against brute force, over files with and without sidecars and the journal's tail.

use std::collections::BTreeMap;

use api::filter::{Target, parse};
use api::{LogRecord, Stats};
use arrow::array::RecordBatch;
use model::{Table, TenantId, TimeRange};

use super::fixture::{Folder, Log, NOW, SECOND, log_batch, logs};
use crate::identity::LogHasher;
use crate::matcher::Matcher;
use crate::{Direction, LogHistogram, LogSearch, QueryError, QueryService};

const QUERIES: [&str; 22] = [
    "",
    "needle",
    "NEEDLE OR é",
    "timeout",
    "\"connection refused\"",
    "conn* -refused",
    "日本",
    "item-7",
    "a=b",
    "NOT timeout",
    "service:cart timeout",
    "severity:>=warn",
    "severity:info payment",
    "n:5",
    "n:>40",
    "user.id:u3",
    "env:prod hit",
    "http.request.method:get retry",
    "get",
    "tags:*y* OR needle",
    "trace_id:* needle",
    "nowhere",
];

/// All matching records by time and hash, as the order of pages has them.
fn expected(batch: &RecordBatch, query: &str, range: TimeRange) -> Vec<(i64, u64)> {
    let matcher = Matcher::new(&parse(query, Target::Logs).expect("parses"), Target::Logs);
    let mut matching = vec![true; batch.num_rows()];
    matcher.narrow(batch, &mut matching);
    let hasher = LogHasher::new(batch);
    let rows = crate::records::LogRows::new(batch);
    let found = (0..batch.num_rows()).filter(|row| matching[*row] && range.contains(rows.time(*row)));
    let mut found: Vec<(i64, u64)> = found.map(|row| (rows.time(row), hasher.hash(row))).collect();
    found.sort_unstable();
    found
}

fn key(record: &LogRecord) -> (i64, u64) {
    let hash = record.id.split('-').next().expect("a hash");
    (record.time_unix_nano.0, u64::from_str_radix(hash, 16).expect("a hash"))
}

/// Everything a search finds, page after page.
async fn all_pages(
    service: &QueryService,
    query: &str,
    range: TimeRange,
    direction: Direction,
    limit: usize,
) -> Vec<LogRecord> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let search = LogSearch { query: query.into(), range, limit, cursor, direction };
        let answer = service.search_logs(&TenantId::default(), search).await.expect("an answer");
        assert!(answer.completeness.complete);
        found.extend(answer.logs);
        cursor = answer.next_cursor;
        if cursor.is_none() {
            return found;
        }
    }
}

async fn check_searches(service: &QueryService, batch: &RecordBatch, layout: &str) {
    let ranges = [TimeRange::ALL, TimeRange::new(NOW + 200 * SECOND, NOW + 900 * SECOND)];
    for query in QUERIES {
        for range in ranges {
            let forward = expected(batch, query, range);
            let mut backward = forward.clone();
            backward.reverse();
            for (direction, expect) in [(Direction::Forward, forward), (Direction::Backward, backward)] {
                for limit in [37, 5000] {
                    if expect.len() > 400 && limit == 37 {
                        continue;
                    }
                    let found = all_pages(service, query, range, direction, limit).await;
                    let keys: Vec<(i64, u64)> = found.iter().map(key).collect();
                    assert_eq!(keys.len(), expect.len(), "{layout}: {query} {direction:?} pages of {limit}");
                    assert!(keys == expect, "{layout}: {query} {direction:?} pages of {limit}: another order");
                    let mut ids: Vec<(i64, &str)> =
                        found.iter().map(|record| (record.time_unix_nano.0, record.id.as_str())).collect();
                    ids.sort_unstable();
                    ids.dedup();
                    assert_eq!(ids.len(), found.len(), "{layout}: {query}: identities differ");
                }
            }
        }
    }
}

async fn stats_of(service: &QueryService, query: &str) -> Stats {
    let search = LogSearch { query: query.into(), limit: 100, ..LogSearch::default() };
    service.search_logs(&TenantId::default(), search).await.expect("an answer").stats
}

async fn histogram(service: &QueryService, query: &str) -> (u64, BTreeMap<String, u64>) {
    let ask = LogHistogram { query: query.into(), range: TimeRange::ALL, steps: 40 };
    let answer = service.log_histogram(&TenantId::default(), ask).await.expect("an answer");
    assert!(answer.buckets.len() <= 40 && answer.completeness.complete);
    let mut by_severity = BTreeMap::new();
    for (name, count) in answer.buckets.iter().flat_map(|bucket| &bucket.counts) {
        *by_severity.entry(name.clone()).or_insert(0) += count;
    }
    (answer.total, by_severity)
}

#[tokio::test]
async fn search_finds_the_same_wherever_records_lie() {
    let all: Vec<Log> = logs(6_000, 3);
    let batch = log_batch(&all);

    let in_journal = Folder::new().await;
    in_journal.append(Table::Logs, &batch, 13).await;
    let service = in_journal.service();
    check_searches(&service, &batch, "journal").await;
    let mut histograms = Vec::new();
    for query in QUERIES {
        let counts = histogram(&service, query).await;
        assert_eq!(counts.0 as usize, expected(&batch, query, TimeRange::ALL).len(), "{query}");
        histograms.push(counts);
    }

    let mixed = Folder::new().await;
    mixed.add_file(Table::Logs, &log_batch(&all[..2_500])).await;
    mixed.add_file(Table::Logs, &log_batch(&all[2_500..5_000])).await;
    mixed.append(Table::Logs, &log_batch(&all[5_000..]), 100).await;
    let indexed = mixed.service();
    check_searches(&indexed, &batch, "files").await;
    let with = stats_of(&indexed, "nowhere").await;
    assert_eq!((with.index_used.as_str(), with.files_pruned_by_index), ("text", 2));

    assert_eq!(mixed.delete_sidecars(), 6);
    let bare = mixed.service();
    check_searches(&bare, &batch, "files without sidecars").await;
    let without = stats_of(&bare, "nowhere").await;
    assert_eq!((without.index_used.as_str(), without.rows_scanned), ("none", 6_000));
    assert!(without.rows_scanned - 1_000 >= 10 * (with.rows_scanned - 1_000));

    for (query, expect) in QUERIES.iter().zip(histograms) {
        assert_eq!(histogram(&indexed, query).await, expect, "{query}");
        assert_eq!(histogram(&bare, query).await, expect, "{query}");
    }
}

/// Records are seen at once, each once, while their segment grows and is read again and again.
#[tokio::test]
async fn the_tail_is_read_on() {
    let folder = Folder::new().await;
    let service = folder.service();
    let all = logs(900, 5);
    assert!(!service.has_data(&TenantId::default()).await.expect("an answer"));
    for (number, part) in all.chunks(300).enumerate() {
        folder.append(Table::Logs, &log_batch(part), 7).await;
        let found = all_pages(&service, "", TimeRange::ALL, Direction::Backward, 5000).await;
        assert_eq!(found.len(), 300 * (number + 1));
    }
    assert!(service.has_data(&TenantId::default()).await.expect("an answer"));
    let other = TenantId::new("other").expect("a tenant");
    assert!(!service.has_data(&other).await.expect("an answer"));
    assert!(service.search_logs(&other, LogSearch::default()).await.expect("an answer").logs.is_empty());
}

#[tokio::test]
async fn wrong_questions_are_told_so() {
    let folder = Folder::new().await;
    let service = folder.service();
    let ask = |query: &str, cursor: Option<&str>| {
        let search = LogSearch { query: query.into(), cursor: cursor.map(Into::into), ..LogSearch::default() };
        let service = service.clone();
        async move { service.search_logs(&TenantId::default(), search).await.expect_err("an error") }
    };
    assert!(matches!(ask("(a", None).await, QueryError::Invalid { position: Some(0), .. }));
    assert!(matches!(ask("a", Some("x")).await, QueryError::Invalid { position: None, .. }));
    let backwards = LogHistogram { range: TimeRange::new(5, 5), ..LogHistogram::default() };
    let answer = service.log_histogram(&TenantId::default(), backwards).await;
    assert!(matches!(answer, Err(QueryError::Invalid { .. })));
    let (total, _) = histogram(&service, "").await;
    assert_eq!(total, 0);
}
