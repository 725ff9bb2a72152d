//! All tests: unit tests, UI tests, then the shipped binary as a black box.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{Step, say};
use crate::test_counts::TestCounts;
use crate::{client_tools, deploy_tools, folders, image, product, tools};

/// Runs everything, or the tests whose names contain the first argument; ends with `N passed, N failed, N skipped`.
///
/// A test that cannot run here (no browser, not root) writes a line to the skip file and passes; those lines are
/// shown and counted as skipped. Under `CI=true` a tool that cannot be installed is an error instead.
pub fn run(arguments: &[String]) -> Result<()> {
    let binary = product::build()?;
    let tools = TestTools::install(&binary)?;
    let mut counts = TestCounts::default();
    let mut failed = Vec::new();
    let server_target = folders::server_target();
    let suites = [
        (
            "unit tests of the workspace",
            Step::cargo("running the unit tests of the workspace", &server_target)
                .arg("test")
                .args(product::SAME_FEATURES)
                .args(["--lib", "--bins", "--no-fail-fast"])
                .args(crate_tests()?.iter().flat_map(|name| ["--test", name]))
                .arg("--"),
        ),
        (
            "tests of xtask",
            Step::cargo("running the tests of xtask", &folders::root().join("target"))
                .args(["test", "-p", "xtask", "--"]),
        ),
        (
            "tests of the UI's core",
            Step::cargo("running the tests of the UI's core", &folders::ui_target()).args([
                "test",
                "--release",
                "--manifest-path",
                "ui/Cargo.toml",
                "-p",
                "ui_core",
                "--",
            ]),
        ),
        (
            "black-box tests",
            tools.hand_to(
                // One at a time: several of them measure times, and the machine may have two cores.
                Step::cargo("running the black-box tests on the shipped binary", &server_target)
                    .arg("test")
                    .args(product::SAME_FEATURES)
                    .args(["--test", "black_box", "--", "--test-threads=1", "--show-output"])
                    .env("SPYHOP_BINARY", &binary),
            ),
        ),
    ];
    for (name, step) in suites {
        if !step.args(arguments).lines(|line| counts.add_line(line))? {
            failed.push(name);
        }
    }
    report(&tools, &mut counts)?;
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Names of the test binaries beside the crates' sources: `crates/*/tests/*.rs` and `crates/*/tests/*/main.rs`.
///
/// Naming them keeps the black-box tests, which need tools, out of that run without leaving a package out, which
/// would change the features that dependencies are built with.
fn crate_tests() -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    let crates = folders::root().join("crates");
    for krate in fs::read_dir(&crates).with_context(|| format!("cannot read {}", crates.display()))? {
        let Ok(entries) = fs::read_dir(krate?.path().join("tests")) else { continue };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let is_test = path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file();
            names.extend(path.file_stem().filter(|_| is_test).map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    Ok(names.into_iter().collect())
}

fn report(tools: &TestTools, counts: &mut TestCounts) -> Result<()> {
    let skips = fs::read_to_string(&tools.skip_file).context("cannot read which tests were skipped")?;
    for line in skips.lines() {
        say(format!("SKIPPED {line}"));
    }
    counts.skip(skips.lines().count() as u64);
    println!("\n{counts}");
    Ok(())
}

/// What the black-box tests are told about their surroundings.
struct TestTools {
    programs: Vec<(&'static str, PathBuf)>,
    skip_file: PathBuf,
}

/// Finds or installs one of them; nothing where it needs a language that is not there and that is no error, in CI too.
type Install<'a> = &'a dyn Fn() -> Result<Option<PathBuf>>;

impl TestTools {
    fn install(binary: &Path) -> Result<TestTools> {
        let wanted: [(&str, Install<'_>); 12] = [
            ("SPYHOP_TEST_PYTHON", &|| tools::python().map(Some)),
            ("SPYHOP_TEST_NODE", &|| tools::node().map(Some)),
            ("SPYHOP_TEST_CHROMIUM", &|| tools::chromium().map(Some)),
            ("SPYHOP_TEST_HELM_4", &|| deploy_tools::helm_4().map(Some)),
            ("SPYHOP_TEST_HELM_3", &|| deploy_tools::helm_3().map(Some)),
            ("SPYHOP_TEST_HADOLINT", &|| deploy_tools::hadolint().map(Some)),
            ("SPYHOP_TEST_RUNC", &|| deploy_tools::runc().map(Some)),
            ("SPYHOP_TEST_IMAGE", &|| image::gather(binary, &image::default_folder()).map(Some)),
            ("SPYHOP_TEST_CLIENTS_PYTHON", &|| client_tools::python().map(Some)),
            ("SPYHOP_TEST_CLIENTS_RUST", &|| client_tools::rust().map(Some)),
            ("SPYHOP_TEST_CLIENTS_JAVA", &client_tools::java),
            ("SPYHOP_TEST_COLLECTOR", &client_tools::collector),
        ];
        let strict = env::var("CI").is_ok_and(|value| value == "true");
        let mut programs = Vec::new();
        for (name, install) in wanted {
            match install() {
                Ok(path) => programs.extend(path.map(|path| (name, path))),
                Err(error) if strict => return Err(error),
                Err(error) => say(format!("{error:#}; the tests that need it are skipped")),
            }
        }
        let skip_file = folders::root().join("target/skipped-tests.txt");
        fs::write(&skip_file, "").with_context(|| format!("cannot write {}", skip_file.display()))?;
        Ok(TestTools { programs, skip_file })
    }

    fn hand_to(&self, step: Step) -> Step {
        let step = step
            .env("SPYHOP_TEST_SKIPS", &self.skip_file)
            .env("SPYHOP_TEST_SCREENSHOTS", folders::root().join("target/screenshots"));
        self.programs.iter().fold(step, |step, (name, path)| step.env(name, path))
    }
}
