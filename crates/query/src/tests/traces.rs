//! Traces by id, trace search and services against brute force.

use std::collections::{BTreeMap, BTreeSet};

use api::{LogRecord, Span, TraceAnswer, TraceSummary};
use model::{Table, TenantId, TimeRange};
use serde_json::Value;

use super::fixture::{Folder, NOW, SECOND, SpanRow, exemplar_batch, log_batch, logs, series_batch};
use super::fixture::{eventful_span_batch, span_batch, spans, trace_id};
use crate::records::{LogRows, Origins, SpanRows};
use crate::{QueryService, ServiceSearch, TraceForm, TraceSearch};

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

#[tokio::test]
async fn a_shared_answer_is_the_same_trace() {
    let all = spans(1_200, 4);
    let folder = folder(&all).await;
    let service = folder.service();
    for number in [0, 17, 400, 1_199] {
        let plain = service.trace(&TenantId::default(), trace_id(number)).await.expect("an answer").expect("known");
        let json = service
            .trace_json(&TenantId::default(), trace_id(number), TraceForm { is_shared: true, brief_above: None })
            .await
            .expect("an answer");
        let json = json.expect("known");
        let text = String::from_utf8_lossy(&json);
        assert!(!text.contains("\"resource\":") && !text.contains("\"scope\":"), "{text}");
        let mut shared: TraceAnswer = serde_json::from_slice(&json).expect("reads back");
        assert!(shared.resources.len() <= 5 && shared.scopes.len() == 1, "each once: {:?}", shared.resources);
        assert_eq!((plain.resources.len(), plain.scopes.len()), (0, 0));
        let (resources, scopes) = (std::mem::take(&mut shared.resources), std::mem::take(&mut shared.scopes));
        let origin = |resource: Option<usize>, scope: Option<usize>| {
            (resources[resource.expect("a number")].clone(), scopes[scope.expect("a number")].clone())
        };
        for span in &mut shared.spans {
            (span.resource, span.scope) = origin(span.resource_ref.take(), span.scope_ref.take());
        }
        for log in &mut shared.logs {
            (log.resource, log.scope) = origin(log.resource_ref.take(), log.scope_ref.take());
        }
        shared.stats = plain.stats.clone();
        assert_eq!(shared, plain);
    }
}

#[tokio::test]
async fn a_brief_answer_has_what_a_waterfall_draws() {
    let all = spans(1_200, 4);
    let folder = folder(&all).await;
    let service = folder.service();
    let ask = async |number, brief_above| -> TraceAnswer {
        let form = TraceForm { is_shared: false, brief_above };
        let json = service.trace_json(&TenantId::default(), trace_id(number), form).await.expect("an answer");
        serde_json::from_slice(&json.expect("known")).expect("reads back")
    };
    for number in [0, 17, 400] {
        let whole = ask(number, None).await;
        assert!(!ask(number, Some(whole.spans.len())).await.brief, "not more than so many");
        let brief = ask(number, Some(1)).await;
        assert!(whole.spans.len() > 1 && brief.brief && !whole.brief);
        assert_eq!(
            (&brief.logs, &brief.exemplars),
            (&whole.logs, &whole.exemplars),
            "records of other kinds are whole"
        );
        assert!(brief.spans.iter().all(|span| span.attributes.is_empty() && span.events.is_empty()));
        let drawn = |span: &Span| {
            let times = (span.start_time_unix_nano, span.end_time_unix_nano);
            let origin = (span.resource.clone(), span.scope.clone());
            (
                span.span_id.clone(),
                span.parent_span_id.clone(),
                span.name.clone(),
                span.kind,
                times,
                span.status.clone(),
                origin,
            )
        };
        assert_eq!(
            brief.spans.iter().map(drawn).collect::<Vec<_>>(),
            whole.spans.iter().map(drawn).collect::<Vec<_>>()
        );
    }
}

#[test]
fn what_is_written_is_the_record() {
    let batch = log_batch(&logs(600, 3));
    let mut rows = LogRows::new(&batch);
    let mut origins = Origins::new(false);
    for row in 0..batch.num_rows() {
        let mut json = Vec::new();
        rows.write(row, "7-0", &mut origins, &mut json);
        let read: LogRecord = serde_json::from_slice(&json).expect("reads back");
        assert_eq!(read, LogRecord { id: "7-0".into(), ..rows.record(row) });
        // The members are those of the type, the left out ones included.
        let (written, by_type) = (serde_json::from_slice::<Value>(&json), serde_json::to_value(&read));
        assert_eq!(written.expect("JSON"), by_type.expect("JSON"));
    }
}

#[test]
fn spans_are_written_with_events_and_links() {
    let batch = eventful_span_batch();
    let mut origins = Origins::new(false);
    let written: Vec<Span> = (0..batch.num_rows())
        .map(|row| {
            let mut json = Vec::new();
            SpanRows::new(&batch).write(row, &mut origins, &mut json);
            let read: Span = serde_json::from_slice(&json).expect("reads back");
            let (raw, by_type) = (serde_json::from_slice::<Value>(&json), serde_json::to_value(&read));
            assert_eq!(raw.expect("JSON"), by_type.expect("JSON"), "the members are those of the type");
            read
        })
        .collect();
    let [eventful, bare] = &written[..] else { panic!("two spans") };
    assert_eq!((eventful.events.len(), eventful.links.len()), (2, 1));
    assert_eq!((eventful.events[0].name.as_str(), eventful.events[1].time_unix_nano.0), ("exception", NOW + 2));
    assert_eq!(eventful.events[0].attributes["exception.message"], "it \"broke\"");
    assert_eq!(eventful.links[0].span_id.as_deref(), Some("0707070707070707"));
    assert_eq!((eventful.status.code, eventful.status.message.as_str()), (2, "no\nway"));
    assert_eq!((eventful.start_time_unix_nano.0, eventful.end_time_unix_nano.0), (NOW, NOW + 5));
    assert_eq!(eventful.attributes["http.route"], "/x");
    assert_eq!((bare.start_time_unix_nano.0, bare.end_time_unix_nano.0), (NOW, 5), "no start of its own");
    assert!(bare.events.is_empty() && bare.links.is_empty() && bare.attributes.is_empty());
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
