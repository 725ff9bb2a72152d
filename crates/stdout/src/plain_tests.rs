//! First lines of plain logs as servers and loggers write them.

use super::*;
use crate::draft::Draft;

/// 2026-11-21T19:30:00Z.
const NOW: i64 = 1_795_289_400_000_000_000;
const MILLI: i64 = 1_000_000;

/// Nanoseconds after `NOW` where the line names a time, and its severity.
fn check(line: &str, time: Option<i64>, severity: (u8, &str)) {
    let mut facts = Facts::default();
    facts.read(line, Clock { now: NOW, zone: 0 });
    let found = (facts.time > 0).then(|| facts.time - NOW);
    assert_eq!((found, (facts.severity_number, facts.severity_text.as_str())), (time, severity), "{line}");
}

#[test]
fn python() {
    check("ERROR:root:something failed", None, (17, "ERROR"));
    check("WARNING:shop.cart:slow", None, (13, "WARNING"));
    check("2026-11-21 19:30:00,716 - shop.cart - ERROR - failed", Some(716 * MILLI), (17, "ERROR"));
    check("2026-11-21 19:30:00,716 - shop - INFO - up", Some(716 * MILLI), (9, "INFO"));
    check("2026-11-21 19:30:00,716 INFO [shop] [app.py:3] [trace_id=0 span_id=0] - up", Some(716 * MILLI), (9, "INFO"));
    check("[2026-11-21 19:30:00,716] WARNING in app: slow", Some(716 * MILLI), (13, "WARNING"));
    check("[2026-11-21 19:30:00 +0000] [7] [INFO] Booting worker", Some(0), (9, "INFO"));
    check("INFO:     127.0.0.1:52341 - \"GET / HTTP/1.1\" 200 OK", None, (9, "INFO"));
    check("INFO  [alembic.runtime.migration] Context impl", None, (9, "INFO"));
    check("[I 2026-11-21 19:30:00.250 ServerApp] up", Some(250 * MILLI), (9, "I"));
    check("[W 261121 19:30:00 web:2239] 404 GET /", Some(0), (13, "W"));
    check("2026-11-21 19:30:00.250 | SUCCESS  | app:main:3 - done", Some(250 * MILLI), (9, "SUCCESS"));
    check("2026-11-21 19:30:00.250 | ERROR    | app:main:3 - done", Some(250 * MILLI), (17, "ERROR"));
    check("[2026-11-21 19:30:00,716: INFO/MainProcess] celery ready", Some(716 * MILLI), (9, "INFO"));
}

#[test]
fn java_and_friends() {
    check("2026-11-21 19:30:00.250  INFO 7 --- [           main] c.e.Shop : up", Some(250 * MILLI), (9, "INFO"));
    check(
        "2026-11-21T19:30:00.250Z  WARN 7 --- [shop] [nio-8080-exec-1] c.e.Shop : x",
        Some(250 * MILLI),
        (13, "WARN"),
    );
    check("19:30:00.250 [http-nio-8080-exec-1] ERROR c.e.Shop - failed", None, (17, "ERROR"));
    check("2026-11-21 19:30:00,250 [main] DEBUG c.e.Shop - x", Some(250 * MILLI), (5, "DEBUG"));
    check("21-Nov-2026 19:30:00.250 SEVERE [main] org.apache.X failed", Some(250 * MILLI), (17, "SEVERE"));
    check(
        "2026-11-21 19:30:00,250 - INFO  [QuorumPeer:FastLeaderElection@774] - Notification",
        Some(250 * MILLI),
        (9, "INFO"),
    );
    check("[2026-11-21 19:30:00,250] ERROR bad (kafka.server.KafkaServer)", Some(250 * MILLI), (17, "ERROR"));
    check("INFO  [2026-11-21 19:30:00,250] io.dropwizard: up", Some(250 * MILLI), (9, "INFO"));
    check("261121 193000 148 INFO dfs.DataNode$PacketResponder: x", Some(0), (9, "INFO"));
    check("26/11/21 19:30:00 WARN util.NativeCodeLoader: x", Some(0), (13, "WARN"));
    check("[main] INFO c.e.Shop - up", None, (9, "INFO"));
    check("info: Microsoft.Hosting.Lifetime[14]", None, (9, "info"));
    check("fail: Microsoft.AspNetCore[1]", None, (17, "fail"));
    check("[19:30:00 INF] Starting up", None, (9, "INF"));
}

#[test]
fn go_rust_and_node() {
    check("2026/11/21 19:30:00 http: TLS handshake error from 10.0.0.1:3: EOF", Some(0), (0, ""));
    check("2026-11-21T19:30:00.250Z\tINFO\tmain.go:12\tup\t{\"port\": 80}", Some(250 * MILLI), (9, "INFO"));
    check("2026-11-21T19:30:00Z INF up port=80", Some(0), (9, "INF"));
    check("E1121 19:30:00.250000       7 reflector.go:138] failed", Some(250 * MILLI), (17, "E"));
    check("I20261121 19:30:00.250000 12345 file.cc:123] up", Some(250 * MILLI), (9, "I"));
    check("2026-11-21T19:30:00.250000Z  WARN req{id=1}: app: slow user=7", Some(250 * MILLI), (13, "WARN"));
    check("[2026-11-21T19:30:00Z ERROR app::cart] failed", Some(0), (17, "ERROR"));
    check("error[E0308]: mismatched types", None, (0, ""));
    check("error: could not compile", None, (17, "error"));
    check("warning: unused variable", None, (13, "warning"));
    check("[2026-11-21T19:30:00.250] [INFO] default - up", Some(250 * MILLI), (9, "INFO"));
    check("2026-11-21T19:30:00.250Z info: up", Some(250 * MILLI), (9, "info"));
    check("2026-11-21T19:30:00.250Z [shop] warn: slow", Some(250 * MILLI), (13, "warn"));
}

#[test]
fn servers() {
    check("2026/11/21 19:30:00 [error] 7#7: *1 connect() failed", Some(0), (17, "error"));
    check("[Sat Nov 21 19:30:00.250000 2026] [core:error] [pid 7:tid 8] AH00037: x", Some(250 * MILLI), (17, "error"));
    check("[Sat Nov 21 19:30:00 2026] [notice] workerEnv.init() ok", Some(0), (10, "notice"));
    check("10.0.0.1 - - [21/Nov/2026:19:30:00 +0000] \"GET / HTTP/1.1\" 200 12 \"-\" \"curl\"", Some(0), (9, ""));
    check("10.0.0.1 - - [21/Nov/2026:19:30:00 +0000] \"GET / HTTP/1.1\" 404 12", Some(0), (13, ""));
    check("10.0.0.1 - - [21/Nov/2026:19:30:00 +0000] \"GET / HTTP/1.1\" 503 12", Some(0), (17, ""));
    check("2026-11-21 19:30:00.250 UTC [7] LOG:  database system is ready", Some(250 * MILLI), (9, "LOG"));
    check(
        "2026-11-21 19:30:00.250 UTC [7] mia@shop ERROR:  relation \"x\" does not exist",
        Some(250 * MILLI),
        (17, "ERROR"),
    );
    check("2026-11-21T19:30:00.250000Z 0 [Warning] [MY-010068] [Server] x", Some(250 * MILLI), (13, "Warning"));
    check("2026-11-21T19:30:00.250000Z 0 [Note] [MY-010068] x", Some(250 * MILLI), (9, "Note"));
    check("7:M 21 Nov 2026 19:30:00.250 * Ready to accept connections", Some(250 * MILLI), (10, "*"));
    check("7:M 21 Nov 2026 19:30:00.250 # WARNING overcommit_memory is set to 0", Some(250 * MILLI), (13, "#"));
    check("[2026-11-21 19:30:00.250][7][info][main] [source/server/server.cc:1] x", Some(250 * MILLI), (9, "info"));
    check("[21-Nov-2026 19:30:00 UTC] PHP Warning:  x in /a.php on line 3", Some(0), (13, "Warning"));
    check("PHP Fatal error:  Uncaught Exception: x in /a.php:3", None, (21, "Fatal error"));
    check("[2026-11-21T19:30:00.250000+00:00] app.ERROR: bad {\"k\":1} []", Some(250 * MILLI), (17, "ERROR"));
    check("I, [2026-11-21T19:30:00.250000 #7]  INFO -- : up", Some(250 * MILLI), (9, "I"));
    check("app-1  | ERROR failed", None, (17, "ERROR"));
}

#[test]
fn systems() {
    check("<34>1 2026-11-21T19:30:00.250Z host su - ID47 - failed", Some(250 * MILLI), (18, "crit"));
    check("<11>Nov 21 19:30:00 host app[7]: failed", Some(0), (17, "err"));
    check("<3>bare message of systemd", None, (17, "err"));
    check("<html>", None, (0, ""));
    check("<999>x", None, (0, ""));
    check("Nov 21 19:30:00 combo sshd(pam_unix)[19939]: authentication failure", Some(0), (0, ""));
    check("11-21 19:30:00.250  1702  2395 D WindowManager: x", Some(250 * MILLI), (5, "D"));
    check("D/WindowManager( 1702): x", None, (5, "D"));
    check("2026-11-21 19:30:00, Info                  CBS    Loaded", Some(0), (9, "Info"));
    check("20261121-19:30:00:606|Step_LSC|30002312|x", Some(606 * MILLI), (0, ""));
}

#[test]
fn prose_has_no_level() {
    for line in [
        "no error in info",
        "Connected to ERROR queue",
        "2026-11-21 19:30:00 Connected to the ERROR queue",
        "An ERROR occurred",
        "see http: it works",
        "config: loaded 3 files",
        "errors: 0",
        "warnings=3",
        "level of water",
        "a log: of things",
        "errorlevel=info is",
        "The system [system32] said warn",
        "Info about things",
        "ERRORS everywhere",
        "GET /error ERROR",
        "",
        "héllo wörld",
    ] {
        let mut facts = Facts::default();
        facts.read(line, Clock { now: NOW, zone: 0 });
        assert_eq!(facts.severity_number, 0, "{line}: {}", facts.severity_text);
    }
    check("started worker level=debug id=3", None, (5, "debug"));
    check("x level=\"error\" y", None, (17, "error"));
}

#[test]
fn forms_have_attributes() {
    use crate::structured::tests::{attributes, record};
    let check = |line: &str, expect: &[&str]| {
        let mut facts = Facts::default();
        facts.read(line, Clock { now: NOW, zone: 0 });
        let mut draft = Draft::default();
        draft.begin(NOW, None);
        facts.attributes(line, &mut draft.record);
        assert_eq!(attributes(&record(&draft)), expect, "{line}");
    };
    check(
        "E1121 19:30:00.250000       7 reflector.go:138] failed",
        &["thread.id=7", "code.file.path='reflector.go'", "code.line.number=138"],
    );
    check(
        "10.0.0.1 - - [21/Nov/2026:19:30:00 +0000] \"GET /a?b=c HTTP/1.1\" 503 12 \"-\" \"curl/8\"",
        &[
            "client.address='10.0.0.1'",
            "http.request.method='GET'",
            "url.path='/a'",
            "url.query='b=c'",
            "network.protocol.version='1.1'",
            "user_agent.original='curl/8'",
            "http.response.status_code=503",
            "http.response.body.size=12",
        ],
    );
    check("2026-11-21 19:30:00 INFO x", &[]);
}
