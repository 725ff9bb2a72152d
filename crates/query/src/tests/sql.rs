//! SQL: values, guards, and questions that would overflow what they run in.

use std::time::{Duration, Instant};

use api::{SqlAnswer, SqlRequest};
use model::{Table, TenantId};
use serde_json::{Value, json};

use super::fixture::{Folder, log_batch, logs, span_batch, spans};
use crate::{QueryError, QueryService};

async fn ask(service: &QueryService, query: &str) -> Result<SqlAnswer, QueryError> {
    service.sql(&TenantId::default(), SqlRequest { query: query.into(), limit: None }).await
}

async fn rows(service: &QueryService, query: &str) -> Vec<Vec<Value>> {
    ask(service, query).await.unwrap_or_else(|error| panic!("{query}: {error}")).rows
}

async fn folder() -> Folder {
    let folder = Folder::new().await;
    let records = logs(5_000, 1);
    folder.add_file(Table::Logs, &log_batch(&records[..2_000])).await;
    folder.add_file(Table::Logs, &log_batch(&records[2_000..4_000])).await;
    folder.append(Table::Logs, &log_batch(&records[4_000..]), 90).await;
    folder.add_file(Table::Spans, &span_batch(&spans(400, 1))).await;
    folder
}

#[tokio::test]
async fn tables_are_files_and_tail() {
    let folder = folder().await;
    let service = folder.service();
    let records = logs(5_000, 1);
    assert_eq!(rows(&service, "select count(*) from logs").await, [[json!(5_000)]]);
    let carts = records.iter().filter(|log| log.service == "cart").count();
    assert_eq!(rows(&service, "select count(*) from logs where service_name = 'cart'").await, [[json!(carts)]]);
    let needles = records.iter().filter(|log| log.body.contains("needle")).count();
    assert_eq!(rows(&service, "select count(*) from logs where body like '%needle%'").await, [[json!(needles)]]);
    let by_service = rows(&service, "select service_name, count(*) c from logs group by 1 order by 1").await;
    assert_eq!(by_service.len(), 3);
    let joined = "select count(*) from spans s join logs l on s.trace_id = l.trace_id";
    assert!(rows(&service, joined).await[0][0].as_u64().expect("a count") > 0);
    let absent = rows(&service, "select count(event_name), count(url_full) from logs").await;
    assert_eq!(absent, [[json!(0), json!(0)]]);
    assert_eq!(rows(&service, "select count(*) from points").await, [[json!(0)]]);

    let answer = ask(&service, "select time, trace_id, severity_number, body from logs order by time limit 1").await;
    let answer = answer.expect("an answer");
    assert!(answer.rows[0][0].as_str().expect("a time").starts_with("2026-11-21T19:30:0"));
    let names: Vec<&str> = answer.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["time", "trace_id", "severity_number", "body"]);
    let late = "select count(*) from logs where time < timestamp '2020-01-01 00:00:00'";
    let pruned = ask(&service, late).await.expect("an answer");
    assert_eq!((&pruned.rows[0][0], pruned.stats.files_pruned_by_time), (&json!(0), 2));

    let tables = rows(&service, "select table_name from information_schema.tables where table_schema = 'public'").await;
    assert_eq!(tables.len(), 8);
    let request = SqlRequest { query: "select time from logs".into(), limit: Some(10) };
    let cut = service.sql(&TenantId::default(), request).await.expect("an answer");
    assert_eq!((cut.rows.len(), cut.truncated), (10, true));
    let other = TenantId::new("other").expect("a tenant");
    let request = SqlRequest { query: "select count(*) from logs".into(), limit: None };
    assert_eq!(service.sql(&other, request).await.expect("an answer").rows, [[json!(0)]]);
}

#[tokio::test]
async fn errors_are_for_people() {
    let folder = folder().await;
    let service = folder.service();
    let check = async |query: &str, part: &str| match ask(&service, query).await {
        Err(QueryError::Invalid { message, .. }) => assert!(message.contains(part), "{query}: {message}"),
        other => panic!("{query}: {other:?}"),
    };
    check("select colour from logs", "colour").await;
    check("select * from nothing", "nothing").await;
    check("selekt 1", "selekt").await;
    check("select 1 from", "").await;
    check("select 1/0", "ivide by zero").await;
    check("insert into logs values (1)", "SELECT").await;
    check("create table x as select 1", "SELECT").await;
    check("drop table logs", "SELECT").await;
    check("set a.b = 1", "SELECT").await;
    check("copy (select 1) to '/tmp/spyhop-test.csv'", "SELECT").await;
    check("explain analyze copy (select 1) to '/tmp/spyhop-test.csv'", "SELECT").await;
    check("create external table x stored as csv location '/etc/passwd'", "SELECT").await;
    check("select * from '/etc/passwd'", "").await;
    check("with recursive r as (select 1 union all select 1 from r) select * from r", "ecursive").await;
    assert!(!std::path::Path::new("/tmp/spyhop-test.csv").exists());
    match ask(&service, "select 1 frm logs x y").await {
        Err(QueryError::Invalid { position: Some(at), .. }) => assert!(at > 8),
        other => panic!("{other:?}"),
    }
}

/// Each of these ends another engine, or this one without its guards. Here each costs itself.
#[tokio::test]
async fn ten_kinds_of_overflow_leave_the_service_alive() {
    let folder = folder().await;
    let service = folder.service();
    let wide = (0..240).map(|n| format!("severity_number = {n}")).collect::<Vec<_>>().join(" or ");
    let doubled = |levels: usize| {
        let innermost = "select body b from logs".to_owned();
        (0..levels).fold(innermost, |inner, _| format!("select b||b b from ({inner})"))
    };
    let bombs: Vec<String> = vec![
        format!("select {}", vec!["1"; 5_000].join("+")),
        format!("select * from logs where {}", vec!["severity_number=1"; 5_000].join(" or ")),
        format!("select {}1{}", "(".repeat(20_000), ")".repeat(20_000)),
        format!("select {}true", "not ".repeat(10_000)),
        vec!["select 1"; 3_000].join(" union all "),
        "select repeat('a', 2000000000)".into(),
        "select lpad('a', 2000000000), rpad('a', 2000000000)".into(),
        "select array_repeat('a', 500000000)".into(),
        "select array_agg(a.body || b.body || c.body) from logs a, logs b, logs c".into(),
        "select a.body, b.body, c.body from logs a, logs b, logs c order by 1, 2, 3".into(),
        "select distinct a.body || b.body from logs a, logs b".into(),
        "select string_agg(a.body || b.body, ',') from logs a, logs b, logs c".into(),
        format!("select repeat(repeat(repeat('a', {0}), {0}), {0})", 10_000),
        format!("select {} 1", "case when true then ".repeat(2_000)),
        doubled(25),
        doubled(12),
        "select replace(replace(body, 'a', body), 'b', body) from logs".into(),
        "select regexp_replace('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '(a+)+$b', 'x')".into(),
        "select body ~ '((a{1000}){1000}){1000}' from logs".into(),
    ];
    for bomb in bombs {
        let begun = Instant::now();
        let request = SqlRequest { query: bomb.clone(), limit: Some(10) };
        let outcome = tokio::time::timeout(Duration::from_secs(40), service.sql(&TenantId::default(), request)).await;
        let shown: String = bomb.chars().take(60).collect();
        let outcome = outcome.unwrap_or_else(|_| panic!("{shown}: no answer"));
        eprintln!("{shown}: {:?} {:.120}", begun.elapsed(), format!("{:?}", outcome.map(|answer| answer.rows.len())));
        assert_eq!(rows(&service, "select count(*) from logs").await, [[json!(5_000)]], "after {shown}");
    }
    // What is wide but allowed is answered, and in time.
    let begun = Instant::now();
    assert!(ask(&service, &format!("select count(*) from logs where {wide}")).await.is_ok());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
