//! N2: what of ours sends or asks speaks TLS too: pipe, import, demo and tail, and with a client's certificate where one
//! is demanded.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tempfile::TempDir;
use testkit::pki::{Authority, Identity};
use testkit::{Server, TlsClient};

use super::rows::{Table, log_json};
use super::tls::{noted, settings, sql, write};
use crate::TestResult;

/// A server that speaks TLS, and files for those who send to it.
struct Fixture {
    server: Server,
    client: TlsClient,
    folder: TempDir,
    ours: Authority,
    endpoint: String,
}

impl Fixture {
    /// The authority `ours` has signed everything but the certificate of the server where `signer` is another.
    async fn start(signer: Option<&Authority>, is_mutual: bool, more: &[(&str, &str)]) -> Result<Fixture> {
        let folder = tempfile::tempdir()?;
        let ours = Authority::new("ours")?;
        let identity = ours.issue("client", 2090)?;
        let signer = signer.unwrap_or(&ours);
        write(folder.path(), &signer.issue("server", 2090)?)?;
        for (name, content) in [
            ("ca.crt", &ours.certificate()),
            ("client.crt", &identity.certificate),
            ("client.key", &identity.key),
            ("line.json", &String::from_utf8(log_json("imported"))?),
        ] {
            fs::write(folder.path().join(name), content)?;
        }
        let mut settings = settings(folder.path());
        for (name, text) in more {
            settings = settings.with(name, *text);
        }
        if is_mutual {
            settings = settings.with("SPYHOP_TLS_CLIENT_CA", path(folder.path(), "ca.crt"));
        }
        let client = TlsClient::new(&signer.certificate(), Some(&identity));
        let server = Server::start_tls(settings, &client).await?;
        let endpoint = format!("https://localhost:{}", server.ports()[1]);
        Ok(Fixture { server, client, folder, ours, endpoint })
    }

    fn path(&self, name: &str) -> String {
        path(self.folder.path(), name)
    }

    /// Starts a command of ours whose endpoint is the server.
    fn send(&self, arguments: &[&str], variables: &[(&str, String)]) -> Result<Child> {
        let mut command = self.server.command(arguments);
        command.args(["--endpoint", &self.endpoint]).envs(variables.iter().map(|(name, text)| (*name, text)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start the command")?;
        let mut stdin = child.stdin.take().context("no stdin")?;
        // Who does not read is not told.
        let _ = stdin.write_all(b"a line\n");
        Ok(child)
    }

    async fn stored(&self) -> Result<String> {
        let query = "select body, count(*) from logs group by body order by body";
        sql(&self.client, &self.server, query).await
    }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// Waits for a command's end; its code and what it said.
async fn ended(child: Child) -> Result<(Option<i32>, String)> {
    let waiting = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output: Output =
        tokio::time::timeout(Duration::from_secs(60), waiting).await.context("it does not end")???;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[tokio::test]
async fn pipe_import_and_demo_send_to_a_server_that_they_can_trust() -> TestResult {
    let fixture = Fixture::start(None, false, &[]).await?;
    let (ca, line) = (fixture.path("ca.crt"), fixture.path("line.json"));
    let mut table = Table::new("N2 senders");
    let of_variable = [("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.clone())];
    let of_logs =
        [("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", ca.clone()), ("OTEL_EXPORTER_OTLP_CERTIFICATE", line.clone())];
    let pipe = ["pipe", "--summary", "--grace", "3s"];
    let demo = ["demo", "--seconds", "1", "--history-minutes", "0"];
    for (what, arguments, variables, code, words) in [
        ("pipe by flag", &[&pipe[..], &["--ca-file", &ca]].concat()[..], &[][..], 0, "1 log records: 1 sent"),
        ("pipe by variable", &pipe, &of_variable, 0, "1 sent"),
        ("pipe by the variable of logs", &pipe, &of_logs, 0, "1 sent"),
        ("pipe trusts nobody else", &pipe, &[], 1, "an authority that is not trusted here"),
        ("pipe names a wrong file", &[&pipe[..], &["--ca-file", &line]].concat(), &[], 2, "line.json', which holds no"),
        ("import by flag", &["import", "--ca-file", &ca, &line], &[], 0, "1 lines stored"),
        ("import trusts nobody else", &["import", &line], &[], 1, "an authority that is not trusted here"),
        ("import names a wrong file", &["import", &line], &of_logs[1..], 2, "line.json', which holds no"),
        ("demo by flag", &[&demo[..], &["--ca-file", &ca]].concat(), &[], 0, ""),
    ] {
        let found = ended(fixture.send(arguments, variables)?).await?;
        noted(&mut table, what, found.0 == Some(code) && found.1.contains(words), &found);
    }
    table.finish()
}

#[tokio::test]
async fn what_pipe_holds_is_sent_once_the_server_can_be_trusted() -> TestResult {
    let theirs = Authority::new("theirs")?;
    let mut fixture = Fixture::start(Some(&theirs), false, &[]).await?;
    let ca = fixture.path("ca.crt");
    let pipe = ["pipe", "--ca-file", &ca, "--summary", "--grace", "30s", "--retry-wait-max", "300ms"];
    let child = fixture.send(&pipe, &[])?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    write(fixture.folder.path(), &fixture.ours.issue("server", 2090)?)?;
    let (code, said) = ended(child).await?;
    assert!(code == Some(0) && said.contains("1 log records: 1 sent"), "{code:?}: {said}");
    assert!(said.contains("not trusted here") && said.contains("takes log records again"), "{said}");
    fixture.client = TlsClient::new(&fixture.ours.certificate(), None);
    // Every process takes the new files in its own time.
    let begun = Instant::now();
    let stored = loop {
        match fixture.stored().await {
            Err(_) if begun.elapsed() < Duration::from_secs(10) => tokio::time::sleep(Duration::from_millis(100)).await,
            found => break found?,
        }
    };
    assert!(stored.contains(r#"[["a line",1]]"#), "{stored}");
    Ok(())
}

#[tokio::test]
async fn pipe_and_import_show_a_certificate_where_one_is_demanded() -> TestResult {
    let fixture = Fixture::start(None, true, &[]).await?;
    let ca = fixture.path("ca.crt");
    let stranger: Identity = Authority::new("theirs")?.issue("client", 2090)?;
    fs::write(fixture.folder.path().join("stranger.crt"), &stranger.certificate)?;
    fs::write(fixture.folder.path().join("stranger.key"), &stranger.key)?;
    let line = fixture.path("line.json");
    let identity = |name: &str| [fixture.path(&format!("{name}.crt")), fixture.path(&format!("{name}.key"))];
    let ([certificate, key], [strange, strange_key]) = (identity("client"), identity("stranger"));
    let variables = |certificate: &str, key: &str| {
        vec![
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.clone()),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate.to_owned()),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", key.to_owned()),
        ]
    };
    let flags = ["--ca-file", &ca, "--client-certificate", &certificate, "--client-key", &key];
    let mut table = Table::new("N2 senders, mutual");
    let pipe = ["pipe", "--summary", "--grace", "3s"];
    let import = ["import", &line];
    for (what, arguments, variables, code, words) in [
        ("pipe by flags", [&pipe[..], &flags].concat(), vec![], 0, "1 sent"),
        ("pipe by variables", pipe.to_vec(), variables(&certificate, &key), 0, "1 sent"),
        ("pipe shows none", [&pipe[..], &flags[..2]].concat(), vec![], 1, "client's certificate"),
        ("pipe shows a stranger's", pipe.to_vec(), variables(&strange, &strange_key), 1, "client's certificate"),
        ("pipe lacks the key", [&pipe[..], &flags[..4]].concat(), vec![], 2, "--client-key"),
        ("import by flags", [&import[..], &flags].concat(), vec![], 0, "1 lines stored"),
        ("import by variables", import.to_vec(), variables(&certificate, &key), 0, "1 lines stored"),
        ("import mixes two pairs", import.to_vec(), variables(&strange, &key), 2, "does not belong"),
    ] {
        let found = ended(fixture.send(&arguments, &variables)?).await?;
        noted(&mut table, what, found.0 == Some(code) && found.1.contains(words), &found);
    }
    let stored = fixture.stored().await?;
    let is_right = stored.contains(r#"[["a line",2],["imported",2]]"#);
    noted(&mut table, "and nothing else is stored", is_right, &stored);
    table.finish()
}

#[tokio::test]
async fn tail_asks_a_server_that_it_can_trust_and_shows_its_token() -> TestResult {
    let fixture = Fixture::start(None, false, &[("SPYHOP_AUTH_API_TOKENS", "secret")]).await?;
    let (ca, line) = (fixture.path("ca.crt"), fixture.path("line.json"));
    let sent = ended(fixture.send(&["import", "--ca-file", &ca, &line], &[])?).await?;
    assert_eq!(sent.0, Some(0), "{sent:?}");
    let endpoint = format!("https://localhost:{}", fixture.server.ports()[2]);
    let tail = |arguments: &[&str], variable: &str, out: Stdio| {
        let mut command = fixture.server.command(&["tail", "--endpoint", &endpoint]);
        command.args(arguments).env("SPYHOP_API_HEADERS", variable);
        command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).spawn().context("cannot start tail")
    };
    let mut table = Table::new("N2 tail");
    let of_ca = ["--ca-file", &ca];
    for (what, arguments, variable, words) in [
        ("without a token", &of_ca[..], "", "(401)"),
        ("with a wrong token", &of_ca, "authorization=Bearer%20guessed", "(401)"),
        ("with no header at all", &[&of_ca[..], &["--header", "secret"]].concat(), "", "--header"),
        ("trusts nobody else", &[], "authorization=Bearer%20secret", "an authority that is not trusted here"),
    ] {
        let found = ended(tail(arguments, variable, Stdio::null())?).await?;
        noted(&mut table, what, found.0 != Some(0) && found.1.contains(words), &found);
    }
    let flags = [&of_ca[..], &["--header", "authorization=Bearer%20secret"]].concat();
    for (what, arguments, variable) in
        [("by flag", &flags[..], ""), ("by variable", &of_ca, "authorization=Bearer%20secret")]
    {
        let out = tempfile::NamedTempFile::new()?;
        let mut child = tail(arguments, variable, out.reopen()?.into())?;
        let begun = Instant::now();
        while fs::read_to_string(out.path())?.is_empty() && begun.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        child.kill()?;
        child.wait()?;
        let printed = fs::read_to_string(out.path())?;
        noted(&mut table, what, printed.contains("imported"), &printed);
    }
    table.finish()
}
