//! What Helm prints after an installation.

use super::render::{self, NAMESPACE, RELEASE, Tools};
use crate::TestResult;

#[test]
fn the_notes_say_where_it_is_and_what_is_open() -> TestResult {
    let Some(tools) = Tools::find("notes") else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let chart = render::chart().to_string_lossy().into_owned();
    // Helm 4 renders notes without a cluster, Helm 3 does not.
    let notes = |values: &str| -> anyhow::Result<String> {
        let path = folder.path().join("values.yaml");
        std::fs::write(&path, values)?;
        let arguments = ["install", RELEASE, &chart, "--namespace", NAMESPACE, "--dry-run=client"];
        let output = render::helm(&tools.helm_4, &arguments, Some(&path))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(text.split_once("\nNOTES:\n").map(|(_, notes)| notes.to_owned()).unwrap_or_default())
    };
    let check = |values: &str, present: &[&str], absent: &[&str]| -> TestResult {
        let said = notes(values)?;
        assert!(present.iter().all(|words| said.contains(words)), "{values}: not all of {present:?} in:\n{said}");
        assert!(absent.iter().all(|words| !said.contains(words)), "{values}: one of {absent:?} in:\n{said}");
        Ok(())
    };
    check(
        "{}",
        &[
            "http://127.0.0.1:4319/",
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://rel-spyhop.shop.svc:4317",
            "helm --namespace shop test rel",
            "Authentication is off",
        ],
        &["WARNING"],
    )?;
    check(
        "ingress: {enabled: true, allowUnauthenticated: true, hosts: [{host: a.example.org, paths: [{path: /}]}], \
         tls: [{hosts: [a.example.org], secretName: t}]}",
        &["https://a.example.org/", "WARNING: authentication is off"],
        &["port-forward"],
    )?;
    check("persistence: {enabled: false}", &["WARNING: persistence.enabled is false"], &[])?;
    check("service: {type: LoadBalancer}", &["reached from outside the cluster"], &[])?;
    check("networkPolicy: {enabled: false}", &["WARNING: networkPolicy.enabled is false"], &[])?;
    check("resources: null", &["WARNING: resources is empty"], &[])?;
    assert_eq!(notes("printNotes: false")?.trim(), "");
    Ok(())
}
