//! Files that are good and bad, and handshakes before and after they change.

use std::fs;
use std::path::Path;

use testkit::TlsClient;
use testkit::pki::{Authority, Identity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn files(folder: &Path, has_client_ca: bool) -> TlsFiles {
    TlsFiles {
        certificate: folder.join("tls.crt"),
        key: folder.join("tls.key"),
        client_ca: has_client_ca.then(|| folder.join("ca.crt")),
        version_min: TlsVersion::Tls12,
        handshake_max: Duration::from_millis(500),
        reload_interval: Duration::from_millis(20),
    }
}

fn write(folder: &Path, identity: &Identity) {
    fs::write(folder.join("tls.crt"), &identity.certificate).expect("writes");
    fs::write(folder.join("tls.key"), &identity.key).expect("writes");
}

#[test]
fn what_is_wrong_with_files_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let authority = Authority::new("test").expect("an authority");
    let (good, other) = (authority.issue("a", 2090).expect("signed"), authority.issue("b", 2090).expect("signed"));
    let check = |certificate: &str, key: &str, client_ca: Option<&str>, parts: &[&str]| {
        fs::write(path.join("tls.crt"), certificate).expect("writes");
        fs::write(path.join("tls.key"), key).expect("writes");
        if let Some(client_ca) = client_ca {
            fs::write(path.join("ca.crt"), client_ca).expect("writes");
        }
        let said = Tls::load(files(path, client_ca.is_some())).expect_err("no good").to_string();
        assert!(parts.iter().all(|part| said.contains(part)) && !said.contains('\n'), "{said}");
        assert!(!said.contains("PRIVATE KEY-----"), "{said}");
    };
    check("", &good.key, None, &["tls.certificate", "tls.crt", "holds no certificate"]);
    check("-----BEGIN CERTIFICATE-----\nx", &good.key, None, &["tls.certificate", "no valid PEM"]);
    check(&good.certificate, "", None, &["tls.key", "holds no private key"]);
    check(
        &good.certificate,
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        None,
        &["encrypted"],
    );
    check(&good.certificate, &other.key, None, &["tls.key", "does not belong to", "tls.crt"]);
    check(&good.certificate, &good.key, Some(""), &["tls.client_ca", "holds no certificate"]);
    check(&"x".repeat(1 << 21), &good.key, None, &["larger than 1 MiB"]);
    write(path, &good);
    assert!(Tls::load(files(path, false)).is_ok());
    fs::remove_file(path.join("tls.key")).expect("removes");
    let said = Tls::load(files(path, false)).expect_err("missing").to_string();
    assert!(said.contains("tls.key") && said.contains("cannot be read"), "{said}");
}

/// A server that answers every handshake with one byte.
async fn serve(tls: Tls) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accepts");
            let tls = tls.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = tls.accept(stream, |stream| stream).await {
                    let _ = stream.write_all(b"x").await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    port
}

async fn is_served(client: &TlsClient, port: u16) -> bool {
    let Ok(mut stream) = client.connect(port, &["h2", "http/1.1"]).await else { return false };
    // Over TLS 1.3 a client learns here that its certificate was refused.
    stream.read_u8().await.is_ok()
}

#[tokio::test]
async fn renewed_files_are_taken_and_bad_ones_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (Authority::new("old").expect("made"), Authority::new("new").expect("made"));
    write(folder.path(), &old.issue("a", 2090).expect("signed"));
    let tls = Tls::load(files(folder.path(), false)).expect("good files");
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(tls.clone().run(stopped));
    let port = serve(tls.clone()).await;
    let clients = [TlsClient::new(&old.certificate(), None), TlsClient::new(&new.certificate(), None)];
    let check = async |expect: [bool; 2]| {
        for (client, expect) in clients.iter().zip(expect) {
            assert_eq!(is_served(client, port).await, expect);
        }
    };
    let metric = |name: &str| tls.metrics().into_iter().find(|metric| metric.name == name).expect("a metric");
    let settle = async |stale: f64, renewed: f64| {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let reloads = metric("spyhop_tls_reloads_total").samples[0].value;
            if metric("spyhop_tls_stale").samples[0].value == stale && reloads == renewed {
                return;
            }
        }
        panic!("{:?}", tls.metrics());
    };
    check([true, false]).await;
    assert!(tls.remarks(0).is_empty());
    assert!(
        tls.remarks(4_000_000_000)[0].contains("ended at 2090-01-01T00:00:00Z"),
        "{:?}",
        tls.remarks(4_000_000_000)
    );
    fs::write(folder.path().join("tls.crt"), "nonsense").expect("writes");
    settle(1.0, 0.0).await;
    check([true, false]).await;
    assert!(tls.remarks(0)[0].contains("no good"));
    write(folder.path(), &new.issue("b", 2060).expect("signed"));
    settle(0.0, 1.0).await;
    check([false, true]).await;
    assert_eq!(metric("spyhop_tls_certificate_expiry_time_seconds").samples[0].value, 2_840_140_800.0);
    fs::remove_file(folder.path().join("tls.key")).expect("removes");
    settle(1.0, 1.0).await;
    check([false, true]).await;
}

#[tokio::test]
async fn clients_show_certificates_where_they_must() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ours, theirs) = (Authority::new("ours").expect("made"), Authority::new("theirs").expect("made"));
    write(folder.path(), &ours.issue("server", 2090).expect("signed"));
    fs::write(folder.path().join("ca.crt"), ours.certificate()).expect("writes");
    let tls = Tls::load(files(folder.path(), true)).expect("good files");
    let port = serve(tls).await;
    let check = async |identity: Option<Identity>, expect: bool, what: &str| {
        let client = TlsClient::new(&ours.certificate(), identity.as_ref());
        assert_eq!(is_served(&client, port).await, expect, "{what}");
        assert_eq!(is_served(&client.only_tls12(), port).await, expect, "{what}, TLS 1.2");
    };
    check(None, false, "none").await;
    check(Some(ours.issue("client", 2090).expect("signed")), true, "a good one").await;
    check(Some(theirs.issue("client", 2090).expect("signed")), false, "another authority's").await;
    check(Some(ours.issue("client", 2021).expect("signed")), false, "one that has ended").await;
    // The probe shows the server's own certificate, and wants to see it.
    let address = format!("127.0.0.1:{port}");
    let probe = TlsProbe::load(&files(folder.path(), true)).expect("good files");
    let mut stream = probe.connect(&address).await.expect("the server is its own");
    assert_eq!(stream.read_u8().await.expect("served"), b'x');
    write(folder.path(), &ours.issue("another", 2090).expect("signed"));
    let probe = TlsProbe::load(&files(folder.path(), true)).expect("good files");
    assert!(probe.connect(&address).await.is_err(), "another certificate of the same authority");
}

#[tokio::test]
async fn what_is_no_tls_ends_cleanly_and_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new("test").expect("made");
    write(folder.path(), &authority.issue("server", 2090).expect("signed"));
    let oldest = TlsFiles { version_min: TlsVersion::Tls13, ..files(folder.path(), false) };
    let port = serve(Tls::load(oldest).expect("good files")).await;
    let check = async |sent: &[u8], part: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
        stream.write_all(sent).await.expect("sends");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap_or_else(|error| panic!("{sent:?}: {error}"));
        assert!(String::from_utf8_lossy(&answer).contains(part), "{answer:?}");
    };
    check(b"GET / HT", "https://").await;
    check(b"PRI ", "").await;
    check(b"", "").await;
    check(&[0x16, 3, 1], "").await;
    let client = TlsClient::new(&authority.certificate(), None);
    assert!(is_served(&client, port).await);
    assert!(!is_served(&client.only_tls12(), port).await, "TLS 1.2 is too old here");
}
