//! Where each setting's text comes from: defaults, a TOML file, the environment, the command line; later ones win.
//!
//! A key `a.b_c` is the variable `SPYHOP_A_B_C`; `SPYHOP_A_B_C_FILE` names a file that holds the value, for secrets.
//! What looks like a setting and is none is refused with the nearest valid name, except variables that
//! Kubernetes makes for services called `spyhop` and the few that other tools of the project use.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::keys::{KEYS, Key};
use crate::failure::Failure;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File(PathBuf),
    Environment(String),
    /// A variable that names a file.
    FileOfVariable(String),
    CommandLine(&'static str),
    /// Handed down by the supervisor, which resolved it.
    Supervisor,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Environment(name) | Source::FileOfVariable(name) => write!(f, "${name}"),
            Source::CommandLine(flag) => f.write_str(flag),
            Source::Supervisor => f.write_str("supervisor"),
        }
    }
}

/// The text of every setting, and its source.
#[derive(Clone, PartialEq)]
pub(crate) struct Resolved {
    values: BTreeMap<&'static str, (String, Source)>,
}

impl fmt::Debug for Resolved {
    /// Without texts, some of which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.values.iter().map(|(name, (_, source))| (name, source))).finish()
    }
}

/// What settings are read from besides their defaults.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// Path and text of the TOML file.
    pub(crate) file: Option<(PathBuf, String)>,
    /// Variables of the environment; only those that begin with `SPYHOP_` are looked at.
    pub(crate) environment: Vec<(String, String)>,
    /// Keys given by flags.
    pub(crate) flags: Vec<(&'static str, &'static str, String)>,
}

impl Resolved {
    /// Every setting at its default.
    pub(crate) fn defaults() -> Resolved {
        Resolved { values: KEYS.iter().map(|key| (key.name, (key.default.to_owned(), Source::Default))).collect() }
    }

    /// Resolves every setting. Errors are one sentence.
    pub(crate) fn new(inputs: Inputs) -> Result<Resolved, Failure> {
        let mut resolved = Resolved::defaults();
        if let Some((path, text)) = &inputs.file {
            resolved.add_file(path, text)?;
        }
        resolved.add_environment(&inputs.environment)?;
        for (flag, name, value) in inputs.flags {
            resolved.set(name, value, Source::CommandLine(flag))?;
        }
        super::check(&resolved)?;
        Ok(resolved)
    }

    /// The text of a setting that is in the table.
    pub(crate) fn text(&self, name: &str) -> &str {
        &self.values.get(name).expect("Settings reads only keys of the table; a test reads them all").0
    }

    /// Key, text and source of every setting, in the table's order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static Key, &str, &Source)> {
        KEYS.iter().filter_map(|key| self.values.get(key.name).map(|(text, source)| (key, text.as_str(), source)))
    }

    /// All texts as one line, for a child process.
    pub(crate) fn to_line(&self) -> String {
        let texts: BTreeMap<&str, &str> = self.values.iter().map(|(name, (text, _))| (*name, text.as_str())).collect();
        serde_json::to_string(&texts).expect("a map of texts is JSON") + "\n"
    }

    /// Reads [`Resolved::to_line`].
    pub(crate) fn from_line(line: &str) -> Result<Resolved, Failure> {
        let texts: BTreeMap<String, String> = serde_json::from_str(line)
            .map_err(|error| Failure::usage(format!("the supervisor sent no settings: {error}")))?;
        let mut resolved = Resolved::defaults();
        for (name, text) in texts {
            resolved.set(&name, text, Source::Supervisor)?;
        }
        Ok(resolved)
    }

    fn set(&mut self, name: &str, text: String, source: Source) -> Result<(), Failure> {
        let key = KEYS.iter().find(|key| key.name == name).ok_or_else(|| Failure::usage(unknown(name, &source)))?;
        if let Err(advice) = key.kind.check(&text) {
            let shown = if key.secret { "***".to_owned() } else { text.chars().take(80).collect() };
            let place = match &source {
                Source::Environment(variable) | Source::FileOfVariable(variable) => variable.clone(),
                Source::CommandLine(flag) => (*flag).to_owned(),
                _ => format!("{name} in {source}"),
            };
            return Err(Failure::usage(format!("{place} is '{shown}': {advice}")));
        }
        self.values.insert(key.name, (text, source));
        Ok(())
    }

    fn add_file(&mut self, path: &Path, text: &str) -> Result<(), Failure> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            Failure::usage(format!("{} is not TOML: {}", path.display(), error.message()))
        })?;
        let mut pairs = Vec::new();
        flatten(String::new(), table, &mut pairs);
        for (name, value) in pairs {
            let text = value_text(&value).ok_or_else(|| {
                Failure::usage(format!("{name} in {}: write a text, a number or a list of texts", path.display()))
            })?;
            self.set(&name, text, Source::File(path.to_owned()))?;
        }
        Ok(())
    }

    fn add_environment(&mut self, environment: &[(String, String)]) -> Result<(), Failure> {
        for (variable, value) in environment.iter().filter(|(variable, _)| variable.starts_with("SPYHOP_")) {
            if let Some(key) = KEYS.iter().find(|key| key.variable() == *variable) {
                self.set(key.name, value.clone(), Source::Environment(variable.clone()))?;
            } else if let Some(key) = KEYS.iter().find(|key| key.variable() + "_FILE" == *variable) {
                if environment.iter().any(|(other, _)| *other == key.variable()) {
                    return Err(Failure::usage(format!("{} and {variable} are both set: keep one", key.variable())));
                }
                let text = std::fs::read_to_string(value).map_err(|error| {
                    Failure::usage(format!("{variable} names '{value}', which cannot be read: {error}"))
                })?;
                self.set(key.name, text.trim_end().to_owned(), Source::FileOfVariable(variable.clone()))?;
            } else if !is_foreign(variable) {
                return Err(Failure::usage(unknown_variable(variable)));
            }
        }
        Ok(())
    }
}

fn flatten(prefix: String, table: toml::Table, pairs: &mut Vec<(String, toml::Value)>) {
    for (name, value) in table {
        let name = format!("{prefix}{name}");
        match value {
            toml::Value::Table(inner) => flatten(format!("{name}."), inner, pairs),
            value => pairs.push((name, value)),
        }
    }
}

fn value_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}

/// Variables that begin like ours and are not settings: of Kubernetes, of the build, of tests, of this module.
fn is_foreign(variable: &str) -> bool {
    const OTHERS: [&str; 6] =
        ["SPYHOP_CONFIG", "SPYHOP_SUPERVISED", "SPYHOP_UI_DIST", "SPYHOP_BINARY", "SPYHOP_URL", "SPYHOP_OTLP_URL"];
    const PREFIXES: [&str; 3] = ["SPYHOP_FAULT", "SPYHOP_TEST_", "SPYHOP_BENCH"];
    let kubernetes = variable.ends_with("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || variable.ends_with("_PORT")
        || variable.split_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    OTHERS.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix)) || kubernetes
}

fn unknown(name: &str, source: &Source) -> String {
    let shown: String = name.chars().take(80).collect();
    let nearest = nearest(name, KEYS.iter().map(|key| key.name.to_owned()));
    format!("'{shown}' in {source} is no setting; the nearest is '{nearest}' ('spyhop config show' lists all)")
}

fn unknown_variable(variable: &str) -> String {
    let shown: String = variable.chars().take(80).collect();
    let nearest = nearest(variable, KEYS.iter().map(Key::variable));
    format!("{shown} is no setting; the nearest is {nearest} ('spyhop config show' lists all)")
}

fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> String {
    candidates.min_by_key(|candidate| distance(name, candidate)).unwrap_or_default()
}

/// Levenshtein distance over bytes.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, from) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, to) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(file: &str, environment: &[(&str, &str)]) -> Result<Resolved, String> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let file = Some((PathBuf::from("spyhop.toml"), file.to_owned()));
        Resolved::new(Inputs { file, environment, flags: Vec::new() }).map_err(|failure| failure.sentence)
    }

    #[test]
    fn later_sources_win() {
        let file = "data_dir = '/f'\nlog = 'debug'\n[ingest]\nrequest_bytes_max = 1000\n";
        let resolved = resolve(file, &[("SPYHOP_LOG", "warn"), ("PATH", "/bin")]).expect("all valid");
        let check = |name: &str, text: &str, source: &str| {
            let (_, found, from) = resolved.entries().find(|(key, ..)| key.name == name).expect("a key of the table");
            assert_eq!((found, from.to_string().as_str()), (text, source), "{name}");
        };
        check("log", "warn", "$SPYHOP_LOG");
        check("data_dir", "/f", "spyhop.toml");
        check("ingest.request_bytes_max", "1000", "spyhop.toml");
        check("otlp.grpc_address", "127.0.0.1:4317", "default");
    }

    #[test]
    fn flags_win_over_all_and_files_hold_secrets() {
        let secret = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(secret.path(), "/from/file\n").expect("writes");
        let variable = ("SPYHOP_DATA_DIR_FILE".to_owned(), secret.path().display().to_string());
        let mut inputs = Inputs { environment: vec![variable.clone()], ..Inputs::default() };
        assert_eq!(Resolved::new(inputs).expect("valid").text("data_dir"), "/from/file");
        inputs = Inputs { environment: vec![variable.clone()], ..Inputs::default() };
        inputs.flags.push(("--data-dir", "data_dir", "/flag".to_owned()));
        assert_eq!(Resolved::new(inputs).expect("valid").text("data_dir"), "/flag");
        let both = vec![variable, ("SPYHOP_DATA_DIR".to_owned(), "x".to_owned())];
        let failure = Resolved::new(Inputs { environment: both, ..Inputs::default() }).expect_err("two sources");
        assert!(failure.sentence.contains("both set"), "{}", failure.sentence);
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        let check = |file: &str, environment: &[(&str, &str)], expect: &str| {
            let sentence = resolve(file, environment).expect_err("refused");
            assert!(sentence.contains(expect), "{sentence}");
        };
        check("", &[("SPYHOP_OTLP_GRPC_ADRESS", "x")], "the nearest is SPYHOP_OTLP_GRPC_ADDRESS");
        check(
            "[otlp]\ngrpc_adress = 'x'",
            &[],
            "'otlp.grpc_adress' in spyhop.toml is no setting; the nearest is 'otlp.grpc_address'",
        );
        check("", &[("SPYHOP_OTLP_GRPC_ADDRESS", "4317")], "SPYHOP_OTLP_GRPC_ADDRESS is '4317': write an address");
        check(
            "ingest = { retry_after = 'soon' }",
            &[],
            "ingest.retry_after in spyhop.toml is 'soon': write a time span",
        );
        check("a = [", &[], "spyhop.toml is not TOML");
        check("log = 1.5", &[], "write a text");
    }

    #[test]
    fn foreign_variables_are_left_alone() {
        let check = |variable: &str, expect: bool| assert_eq!(is_foreign(variable), expect, "{variable}");
        check("SPYHOP_SERVICE_HOST", true);
        check("SPYHOP_INGEST_SERVICE_PORT_OTLP_GRPC", true);
        check("SPYHOP_PORT", true);
        check("SPYHOP_PORT_4317_TCP_ADDR", true);
        check("SPYHOP_TEST_CHROMIUM", true);
        check("SPYHOP_FAULT", true);
        check("SPYHOP_FAULT_ONCE", true);
        check("SPYHOP_REPORT_X", false);
        check("SPYHOP_DATA", false);
    }

    #[test]
    fn a_child_gets_what_the_supervisor_resolved() {
        let resolved = resolve("log = 'debug'", &[]).expect("valid");
        let child = Resolved::from_line(&resolved.to_line()).expect("the line is ours");
        assert_eq!(child.text("log"), "debug");
        assert!(Resolved::from_line("").is_err());
    }
}
