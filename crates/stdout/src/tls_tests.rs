//! Settings of TLS, as tables.

use std::fs;
use std::path::Path;

use testkit::pki::Authority;

use super::*;

const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const LOGS_CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE";
const OF_CLIENT: &str = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
const KEY: &str = "OTEL_EXPORTER_OTLP_CLIENT_KEY";

/// A folder with an authority, a client's certificate and key, and files that are no good.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new("test").expect("an authority");
    let (client, other) = (authority.issue("c", 2090).expect("one"), authority.issue("d", 2090).expect("another"));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (name, content) in [
        ("ca.crt", authority.certificate().as_str()),
        ("c.crt", &client.certificate),
        ("c.key", &client.key),
        ("other.key", &other.key),
        ("encrypted.key", encrypted),
        ("words", "no PEM at all"),
        ("cut", "-----BEGIN CERTIFICATE-----\nAAA"),
        ("large", &"x".repeat(1 + FILE_BYTES_MAX as usize)),
    ] {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    folder
}

/// What comes of flags (authority, certificate, key) and variables; names of files lie in the folder.
fn resolve(folder: &Path, endpoint: &str, flags: [&str; 3], variables: &[(&str, &str)]) -> Result<Tls, StdoutError> {
    let [ca_file, client_certificate, client_key] =
        flags.map(|name| Some(name).filter(|name| !name.is_empty()).map(|name| folder.join(name)));
    let flags = TlsFlags { ca_file, client_certificate, client_key };
    Tls::resolve(endpoint, &flags, "LOGS_", &|name| {
        let (_, file) = variables.iter().find(|(known, _)| *known == name)?;
        Some(if file.is_empty() { String::new() } else { folder.join(file).display().to_string() })
    })
}

#[test]
fn flags_come_before_variables_and_those_of_logs_before_others() {
    let folder = folder();
    // Whether a client's certificate would be shown.
    let check = |flags: [&str; 3], variables: &[(&str, &str)], expect: bool| {
        let found = resolve(folder.path(), "https://x", flags, variables);
        let shows = found.map(|tls| tls.0.client_auth_cert_resolver.has_certs());
        assert_eq!(shows, Ok(expect), "{flags:?} {variables:?}");
    };
    check(["ca.crt", "", ""], &[], false);
    check(["ca.crt", "c.crt", "c.key"], &[], true);
    check(["", "", ""], &[(CERTIFICATE, "ca.crt")], false);
    check(["", "", ""], &[(CERTIFICATE, "words"), (LOGS_CERTIFICATE, "ca.crt")], false);
    check(["", "", ""], &[(CERTIFICATE, "ca.crt"), (LOGS_CERTIFICATE, "")], false);
    check(["ca.crt", "", ""], &[(CERTIFICATE, "words"), (LOGS_CERTIFICATE, "words")], false);
    check(["", "", ""], &[(CERTIFICATE, "ca.crt"), (OF_CLIENT, "c.crt"), (KEY, "c.key")], true);
    check(["ca.crt", "", "c.key"], &[(OF_CLIENT, "c.crt"), (KEY, "other.key")], true);
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let folder = folder();
    let check = |flags: [&str; 3], variables: &[(&str, &str)], words: &[&str]| {
        let said = resolve(folder.path(), "HTTPS://x", flags, variables).expect_err("must fail").to_string();
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    check(["none", "", ""], &[], &["--ca-file is '", "/none'", "cannot be read", "name a PEM file"]);
    check(["", "", ""], &[(CERTIFICATE, "none")], &[CERTIFICATE, "/none'"]);
    check(["words", "", ""], &[], &["/words'", "no certificate", "BEGIN CERTIFICATE"]);
    check(["cut", "", ""], &[], &["/cut'", "no valid PEM file"]);
    check(["large", "", ""], &[], &["/large'", "larger than 1 MiB"]);
    check(["ca.crt", "c.crt", ""], &[], &["--client-certificate", "other half", "--client-key", KEY]);
    check(["ca.crt", "", ""], &[(KEY, "c.key")], &[KEY, "other half", "--client-certificate", OF_CLIENT]);
    check(["ca.crt", "c.crt", "words"], &[], &["--client-key", "/words'", "no private key", "BEGIN PRIVATE KEY"]);
    check(["ca.crt", "c.crt", "encrypted.key"], &[], &["--client-key", "encrypted"]);
    check(["ca.crt", "c.crt", "other.key"], &[], &["/other.key'", "does not belong", "/c.crt'"]);
}

#[test]
fn without_tls_a_flag_is_a_mistake_and_a_variable_is_not() {
    let folder = folder();
    assert!(resolve(folder.path(), "http://x", ["", "", ""], &[(CERTIFICATE, "none"), (KEY, "none")]).is_ok());
    for (flags, expect) in [
        (["ca.crt", "", ""], "--ca-file"),
        (["", "c.crt", "c.key"], "--client-certificate"),
        (["", "", "c.key"], "--client-key"),
    ] {
        let said = resolve(folder.path(), "http://x:4318", flags, &[]).expect_err("must fail").to_string();
        assert!(said.contains(expect) && said.contains("http://x:4318") && said.contains("https://"), "{said}");
    }
}
