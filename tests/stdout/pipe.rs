//! `my-app | spyhop pipe`.

use testkit::{Server, ServerSettings};

use super::{record, run, said};
use crate::TestResult;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[tokio::test]
async fn lines_of_every_kind_pass_on_and_are_found() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let trace = "Traceback (most recent call last):\n  File \"/app/shop.py\", line 3, in order\n    pay(cart)\nValueError: no card";
    let input = format!(
        "plain and simple\n\
         {{\"time\":\"2026-11-21T19:30:00.25Z\",\"level\":\"warn\",\"msg\":\"from json\",\"logger\":\"shop.cart\",\"trace_id\":\"{TRACE}\",\"span_id\":\"{SPAN}\",\"order\":{{\"items\":[1,2]}},\"service_version\":\"1.2.0\"}}\n\
         time=2026-11-21T19:30:01Z level=error msg=\"from logfmt\" status=503\n\
         2026-11-21 19:30:02,500 - shop - ERROR - in python's form\n\
         {trace}\n\
         \r\n\
         no ending, and caf"
    );
    let mut input = input.into_bytes();
    input.push(0xe9);
    let output = run(&server, &["pipe", "--service-name", "shop", "--summary"], input.clone()).await?;
    assert!(output.status.success(), "{}: {}", output.status, said(&output));
    assert_eq!(output.stdout, input, "passed on unchanged");
    assert!(said(&output).contains("5 log records: 5 sent"), "{}", said(&output));

    let json = record(&client, "from json").await?;
    assert_eq!((json.severity_number, json.severity_text.as_str()), (13, "warn"));
    assert_eq!(json.time_unix_nano.to_string(), "1795289400250000000");
    assert_eq!((json.trace_id.as_deref(), json.span_id.as_deref()), (Some(TRACE), Some(SPAN)));
    assert_eq!(json.attributes["order"]["items"][1], 2, "{:?}", json.attributes);
    assert_eq!(json.attributes["log.iostream"], "stdout");
    assert_eq!(json.scope.name, "shop.cart");
    assert_eq!(json.resource.attributes["service.name"], "shop");
    assert_eq!(json.resource.attributes["service.version"], "1.2.0");
    assert!(json.resource.attributes.contains_key("host.name"));

    let logfmt = record(&client, "from logfmt").await?;
    assert_eq!((logfmt.severity_number, logfmt.attributes["status"].as_i64()), (17, Some(503)));
    assert!(!logfmt.resource.attributes.contains_key("service.version"));
    let python = record(&client, "2026-11-21 19:30:02,500 - shop - ERROR - in python's form").await;
    // The trace follows an error, so it is that error's.
    assert!(python.is_err());
    let python =
        record(&client, &format!("2026-11-21 19:30:02,500 - shop - ERROR - in python's form\n{trace}")).await?;
    assert_eq!(python.severity_number, 17);
    assert_eq!(python.attributes["exception.type"], "ValueError");
    assert_eq!(python.attributes["exception.message"], "no card");
    assert_eq!(record(&client, "plain and simple").await?.severity_number, 0);
    assert!(record(&client, "no ending, and caf\u{FFFD}").await?.attributes.contains_key("log.record.original"));

    let view: api::TraceAnswer = client.get_json(&format!("{}/{TRACE}", api::paths::TRACES)).await?;
    assert_eq!(view.logs.len(), 1, "the line is found by its trace");
    Ok(())
}

#[tokio::test]
async fn lines_that_are_otlp_are_stored_as_they_are() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let resource = r#""resource":{"attributes":[{"key":"service.name","value":{"stringValue":"printer"}}]}"#;
    let input = format!(
        "a plain line\n\
         {{\"resourceLogs\":[{{{resource},\"scopeLogs\":[{{\"logRecords\":[{{\"timeUnixNano\":\"1795289400000000000\",\"traceId\":\"{TRACE}\",\"body\":{{\"stringValue\":\"native\"}}}}]}}]}}]}}\n\
         {{{resource},\"scopeLogs\":[{{\"logRecords\":[{{\"body\":{{\"stringValue\":\"from Java\"}}}}]}}]}}\n\
         {{\"resourceSpans\":[{{{resource},\"scopeSpans\":[{{\"spans\":[{{\"traceId\":\"{TRACE}\",\"spanId\":\"{SPAN}\",\"name\":\"printed\",\"startTimeUnixNano\":\"1795289400000000000\",\"endTimeUnixNano\":\"1795289400000000001\"}}]}}]}}]}}\n\
         {{\"resourceMetrics\":[{{{resource},\"scopeMetrics\":[{{\"metrics\":[{{\"name\":\"prints\",\"gauge\":{{\"dataPoints\":[{{\"timeUnixNano\":\"1795289400000000000\",\"asInt\":\"3\"}}]}}}}]}}]}}]}}\n"
    );
    let arguments = ["pipe", "--summary", "--resource", "k8s.pod.name=printer-0"];
    let output = run(&server, &arguments, input.clone().into_bytes()).await?;
    assert!(output.status.success(), "{}: {}", output.status, said(&output));
    assert_eq!(output.stdout, input.as_bytes(), "passed on unchanged");
    assert!(said(&output).contains("5 log records: 5 sent"), "{}", said(&output));
    for body in ["native", "from Java"] {
        let attributes = record(&client, body).await?.resource.attributes;
        assert_eq!(
            (&attributes["service.name"], &attributes["k8s.pod.name"]),
            (&"printer".into(), &"printer-0".into())
        );
    }
    let view: api::TraceAnswer = client.get_json(&format!("{}/{TRACE}", api::paths::TRACES)).await?;
    assert_eq!((view.spans.len(), view.logs.len(), view.spans[0].name.as_str()), (1, 1, "printed"));
    assert_eq!(client.sql_count("select count(*) from points").await?, 1);
    assert_eq!(client.sql_count("select count(*) from logs").await?, 3);
    Ok(())
}

#[tokio::test]
async fn twenty_thousand_lines_are_as_many_records() -> TestResult {
    let server = Server::start(ServerSettings::default()).await?;
    let client = server.client();
    let lines: String = (0..20_000)
        .map(|number| match number % 3 {
            0 => format!("{{\"level\":\"info\",\"msg\":\"line {number}\",\"number\":{number}}}\n"),
            1 => format!("level=info msg=\"line {number}\" number={number}\n"),
            _ => format!("2026-11-21 19:30:00,000 INFO line {number}\n"),
        })
        .collect();
    let output = run(&server, &["pipe", "--quiet"], lines.into_bytes()).await?;
    assert!(output.status.success(), "{}", said(&output));
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "quiet: {}", said(&output));
    assert_eq!(client.sql_count("select count(*) from logs").await?, 20_000);
    assert_eq!(client.sql_count("select count(distinct body) from logs where severity_number = 9").await?, 20_000);
    Ok(())
}

#[tokio::test]
async fn what_is_set_up_wrongly_is_said_before_anything_is_read() -> TestResult {
    let server = Server::prepare(ServerSettings::default())?;
    for (arguments, words) in [
        (&["pipe", "--endpoint", "localhost:4318"][..], "http://127.0.0.1:4318"),
        (&["pipe", "--endpoint", "https://logs.example", "--ca-file", "/no/such/file"][..], "'/no/such/file'"),
        (&["pipe", "--ca-file", "/no/such/file"][..], "https://"),
        (&["pipe", "--resource", "nonsense"][..], "service.version=1.2.0"),
        (&["pipe", "--spool-bytes", "many"][..], "64MiB"),
        (&["pipe", "--time-zone", "CET"][..], "+02:00"),
        (&["exec", "--header", "no value", "true"][..], "no value"),
    ] {
        let output = server.run(arguments).await?;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
    }
    Ok(())
}
