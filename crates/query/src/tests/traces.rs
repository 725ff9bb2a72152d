//! Traces by id, trace search and services against brute force.

use std::collections::{BTreeMap, BTreeSet};

use api::TraceSummary;
use model::{Table, TenantId, TimeRange};

use super::fixture::{Folder, NOW, SECOND, SpanRow, exemplar_batch, log_batch, logs, series_batch};
use super::fixture::{span_batch, spans, trace_id};
use crate::{QueryService, ServiceSearch, TraceSearch};

/// A folder with spans and logs in two files and the journal, exemplars in a file.
async fn folder(all: &[SpanRow]) -> Folder {
    let folder = Folder::new().await;
    let third = all.len() / 3;
    folder.add_file(Table::Spans, &span_batch(&all[..third])).await;
    folder.add_file(Table::Spans, &span_batch(&all[third..2 * third])).await;
    folder.append(Table::Spans, &span_batch(&all[2 * third..]), 11).await;
    let records = logs(4_000, 9);
    folder.add_file(Table::Logs, &log_batch(&records[..3_000])).await;
    folder.append(Table::Logs, &log_batch(&records[3_000..]), 50).await;
    folder.add_file(Table::Exemplars, &exemplar_batch(600)).await;
    folder.add_file(Table::Series, &series_batch()).await;
    folder
}

#[tokio::test]
async fn a_trace_is_found_whole_with_and_without_sidecars() {
    let all = spans(1_200, 4);
    let folder = folder(&all).await;
    let service = folder.service();
    let mut answers = Vec::new();
    for number in [0, 3, 17, 400, 401, 800, 1_199] {
        let answer = service.trace(&TenantId::default(), trace_id(number)).await.expect("an answer").expect("known");
        let expect = all.iter().filter(|span| span.trace == number).count();
        assert_eq!(answer.spans.len(), expect, "trace {number}");
        assert!(answer.spans.iter().all(|span| span.trace_id == trace_id(number).to_string()));
        assert!(answer.spans.is_sorted_by_key(|span| span.start_time_unix_nano));
        assert_eq!(answer.exemplars.len(), usize::from(number < 600));
        assert!(answer.exemplars.iter().all(|exemplar| exemplar.unit == "ms" && exemplar.value == number as f64 + 0.5));
        assert!(answer.completeness.complete);
        assert_eq!(answer.last_seen.len(), 3);
        answers.push((number, answer));
    }
    assert!(answers.iter().any(|(_, answer)| !answer.logs.is_empty()));
    assert_eq!(service.trace(&TenantId::default(), trace_id(9_999)).await.expect("an answer"), None);

    let unknown = folder.service();
    drop(service);
    assert!(folder.delete_sidecars() > 4);
    let bare = folder.service();
    for (number, with) in answers {
        let without = bare.trace(&TenantId::default(), trace_id(number)).await.expect("an answer").expect("known");
        assert_eq!((&without.spans, &without.logs), (&with.spans, &with.logs), "trace {number}");
        assert_eq!(without.exemplars, with.exemplars);
        assert!(without.stats.rows_scanned > with.stats.rows_scanned, "trace {number}");
        assert_eq!((with.stats.index_used.as_str(), without.stats.index_used.as_str()), ("bloom", "none"));
    }
    drop(unknown);
}

async fn all_pages(service: &QueryService, search: TraceSearch) -> Vec<TraceSummary> {
    let mut found: Vec<TraceSummary> = Vec::new();
    let mut cursor = None;
    loop {
        let page = TraceSearch { cursor, ..search.clone() };
        let answer = service.search_traces(&TenantId::default(), page).await.expect("an answer");
        assert!(answer.completeness.complete && answer.traces.len() <= search.limit.max(20));
        found.extend(answer.traces);
        cursor = answer.next_cursor;
        if cursor.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn traces_are_listed_newest_first_each_once() {
    let all = spans(700, 8);
    let folder = folder(&all).await;
    let service = folder.service();
    let mut by_trace: BTreeMap<usize, Vec<&SpanRow>> = BTreeMap::new();
    for span in &all {
        by_trace.entry(span.trace).or_default().push(span);
    }
    let duration = |spans: &[&SpanRow]| {
        let end = spans.iter().map(|span| span.start + span.duration).max().expect("spans");
        end - spans.iter().map(|span| span.start).min().expect("spans")
    };
    type Condition<'a> = Box<dyn Fn(&SpanRow) -> bool + 'a>;
    let range = TimeRange::new(NOW + 300 * SECOND, NOW + 1_000 * SECOND);
    let cases: Vec<(TraceSearch, Condition<'_>)> = vec![
        (TraceSearch { limit: 50, ..TraceSearch::default() }, Box::new(|_| true)),
        (TraceSearch { limit: 7, errors_only: true, ..TraceSearch::default() }, Box::new(|span| span.is_error)),
        (
            TraceSearch { limit: 20, service: Some("cart".into()), range, ..TraceSearch::default() },
            Box::new(|span| span.service == "cart" && range.contains(span.start)),
        ),
        (
            TraceSearch { query: "name:SELECT duration:>1s".into(), limit: 30, ..TraceSearch::default() },
            Box::new(|span| !span.is_root && span.duration > SECOND),
        ),
        (
            TraceSearch {
                limit: 20,
                duration_min: Some(SECOND),
                duration_max: Some(3 * SECOND / 2),
                ..TraceSearch::default()
            },
            Box::new(|_| true),
        ),
    ];
    for (search, condition) in cases {
        let fits = |spans: &[&SpanRow]| {
            let long = duration(spans);
            search.duration_min.is_none_or(|min| long >= min) && search.duration_max.is_none_or(|max| long <= max)
        };
        let mut expect: Vec<(i64, String)> = by_trace
            .iter()
            .filter(|(_, spans)| fits(spans))
            .filter_map(|(trace, spans)| {
                let latest = spans.iter().filter(|span| condition(span)).map(|span| span.start).max()?;
                Some((latest, trace_id(*trace).to_string()))
            })
            .collect();
        expect.sort_unstable_by(|a, b| b.cmp(a));
        let found = all_pages(&service, search.clone()).await;
        let ids: Vec<&str> = found.iter().map(|summary| summary.trace_id.as_str()).collect();
        let expect_ids: Vec<&str> = expect.iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{search:?}: twice");
        assert!(ids == expect_ids, "{search:?}: {} found, {} expected", ids.len(), expect_ids.len());
        for summary in found.iter().take(20) {
            let number = by_trace.keys().find(|number| trace_id(**number).to_string() == summary.trace_id);
            let spans = &by_trace[number.expect("known")];
            assert_eq!(summary.span_count as usize, spans.len());
            assert_eq!(summary.error_count as usize, spans.iter().filter(|span| span.is_error).count());
            assert_eq!(summary.duration_nano.0, duration(spans));
            assert_eq!((summary.root_name.as_str(), summary.has_root), ("GET /", true));
            assert_eq!(summary.services.values().sum::<u64>() as usize, spans.len());
        }
    }
}

#[tokio::test]
async fn services_are_counted() {
    let all = spans(300, 2);
    let folder = folder(&all).await;
    let answer = folder.service().services(&TenantId::default(), ServiceSearch::default()).await.expect("an answer");
    assert_eq!(answer.services.iter().map(|service| service.span_count).sum::<u64>() as usize, all.len());
    assert_eq!(answer.services.iter().map(|service| service.log_count).sum::<u64>(), 4_000);
    for service in &answer.services {
        let of_service = all.iter().filter(|span| span.service == service.name);
        assert_eq!(service.error_count as usize, of_service.filter(|span| span.is_error).count());
        assert!(service.last_seen_unix_nano.0 >= NOW);
    }
    let range = TimeRange::new(NOW + 100 * SECOND, NOW + 200 * SECOND);
    let part =
        folder.service().services(&TenantId::default(), ServiceSearch { range, steps: 0 }).await.expect("an answer");
    let inside = all.iter().filter(|span| range.contains(span.start)).count();
    assert_eq!(part.services.iter().map(|service| service.span_count).sum::<u64>() as usize, inside);
}
