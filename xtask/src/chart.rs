//! What is made from others: the table of values in the Helm chart's README from `values.yaml`; the settings in the
//! chart's schema, and `docs/settings.md`, from the binary.
//!
//! Pure functions from text to text; `cargo xtask chart` writes what they say, `cargo xtask tidy` complains where the
//! README is behind, and a black-box test where the schema is.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::folders;
use crate::shell::say;

const BEGIN: &str = "<!-- values: written by `cargo xtask chart` -->";
const END: &str = "<!-- end of values -->";

/// Settings that the chart sets by values of its own.
const OF_THE_CHART: &[&str] = &[
    "data_dir",
    "shutdown_grace",
    "otlp.grpc_address",
    "otlp.http_address",
    "api.address",
    "syslog.tcp_address",
    "syslog.udp_address",
    "syslog.tls_address",
];

fn folder() -> PathBuf {
    folders::root().join("deploy/helm/spyhop")
}

/// Writes both.
pub fn run() -> Result<()> {
    let readme_path = folder().join("README.md");
    let readme = fs::read_to_string(&readme_path).context("cannot read the chart's README.md")?;
    fs::write(&readme_path, with_table(&readme, &values()?)?).context("cannot write the chart's README.md")?;
    say("wrote the table of values in deploy/helm/spyhop/README.md");
    let binary = env::var_os("SPYHOP_BINARY").map_or_else(folders::binary, PathBuf::from);
    if !binary.is_file() {
        bail!("there is no {}: run `cargo xtask build`, which it is asked for its settings", binary.display());
    }
    let output = Command::new(&binary)
        .args(["config", "show"])
        .env_clear()
        .output()
        .with_context(|| format!("cannot run {}", binary.display()))?;
    let schema_path = folder().join("values.schema.json");
    let schema = fs::read_to_string(&schema_path).context("cannot read values.schema.json")?;
    let written = with_settings(&schema, &String::from_utf8_lossy(&output.stdout))?;
    fs::write(&schema_path, written).context("cannot write values.schema.json")?;
    say("wrote the settings in deploy/helm/spyhop/values.schema.json");
    let page = folders::root().join("docs/settings.md");
    fs::write(page, settings_page(&String::from_utf8_lossy(&output.stdout)))
        .context("cannot write docs/settings.md")?;
    say("wrote docs/settings.md");
    Ok(())
}

/// What tidy says of the chart.
pub fn complaints() -> Result<Vec<String>> {
    let readme = fs::read_to_string(folder().join("README.md")).context("cannot read the chart's README.md")?;
    let stale = with_table(&readme, &values()?)? != readme;
    Ok(stale.then(|| "deploy/helm/spyhop/README.md is behind values.yaml: run `cargo xtask chart`".to_owned()))
        .map(|complaint| complaint.into_iter().collect())
}

fn values() -> Result<String> {
    fs::read_to_string(folder().join("values.yaml")).context("cannot read values.yaml")
}

/// One documented value.
#[derive(Debug, PartialEq)]
struct Row {
    key: String,
    default: String,
    description: String,
}

/// Every value with a comment that begins with `# -- `; further lines of the comment go on with it.
fn rows(values: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut description: Option<String> = None;
    for line in values.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let Some(comment) = text.strip_prefix('#') {
            match (comment.strip_prefix(" -- "), &mut description) {
                (Some(begun), _) => description = Some(begun.trim().to_owned()),
                (None, Some(more)) => more.push_str(&format!(" {}", comment.trim())),
                (None, None) => {}
            }
            continue;
        }
        let Some((key, value)) = text.split_once(':').filter(|(key, _)| is_key(key)) else {
            description = None;
            continue;
        };
        path.retain(|(level, _)| *level < indent);
        path.push((indent, key.to_owned()));
        if let Some(description) = description.take() {
            let key = path.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(".");
            let default = match value.trim() {
                "" => "see values.yaml".to_owned(),
                value => format!("`{value}`"),
            };
            rows.push(Row { key, default, description });
        }
    }
    rows
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from("| key | default | what it does |\n|---|---|---|\n");
    for Row { key, default, description } in rows {
        let description = description.replace('|', "\\|");
        out.push_str(&format!("| `{key}` | {default} | {description} |\n"));
    }
    out
}

fn with_table(readme: &str, values: &str) -> Result<String> {
    let (head, rest) = readme.split_once(BEGIN).with_context(|| format!("the README has no line `{BEGIN}`"))?;
    let (_, tail) = rest.split_once(END).with_context(|| format!("the README has no line `{END}`"))?;
    Ok(format!("{head}{BEGIN}\n\n{}\n{END}{tail}", table(&rows(values))))
}

/// The schema with the settings that `spyhop config show` has printed: `# help [VARIABLE]`, then `name = "value"  # source`.
fn with_settings(schema: &str, shown: &str) -> Result<String> {
    let mut schema: Value = serde_json::from_str(schema).context("values.schema.json is no JSON")?;
    let settings = settings(shown);
    if settings.is_empty() {
        bail!("`spyhop config show` printed no settings");
    }
    let mut top = Map::new();
    let mut groups: Map<String, Value> = Map::new();
    for Setting { name, help, .. } in settings.iter().filter(|setting| !OF_THE_CHART.contains(&setting.name.as_str())) {
        let kinds = json!({
            "description": help,
            "type": ["string", "integer", "array"],
            "items": {"type": "string"},
        });
        match name.split_once('.') {
            None => drop(top.insert(name.clone(), kinds)),
            Some((group, inner)) => {
                let group = groups.entry(group).or_insert_with(|| json!({}));
                group[inner] = kinds;
            }
        }
    }
    for (group, properties) in groups {
        top.insert(group, json!({"type": "object", "additionalProperties": false, "properties": properties}));
    }
    schema["properties"]["settings"] = json!({"type": "object", "additionalProperties": false, "properties": top});
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

/// A setting as `spyhop config show` prints it.
#[derive(Debug, PartialEq)]
struct Setting {
    name: String,
    variable: String,
    help: String,
    default: String,
}

fn settings(shown: &str) -> Vec<Setting> {
    let mut found = Vec::new();
    let (mut help, mut variable) = (String::new(), String::new());
    for line in shown.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let (words, name) = comment.rsplit_once(" [").unwrap_or((comment, ""));
            help = words.to_owned();
            variable = name.trim_end_matches(']').to_owned();
        } else if let Some((name, value)) = line.split_once(" = ") {
            let default = value.rsplit_once("  # ").map_or(value, |(value, _)| value).trim_matches('"').to_owned();
            let (help, variable) = (std::mem::take(&mut help), std::mem::take(&mut variable));
            found.push(Setting { name: name.to_owned(), variable, help, default });
        }
    }
    found
}

/// `docs/settings.md`.
fn settings_page(shown: &str) -> String {
    let mut page = String::from(
        "# Settings\n\n<!-- Written by `cargo xtask chart` from `spyhop config show`. -->\n\n\
         Each is a variable of the environment, or a key of the TOML file that `SPYHOP_CONFIG` or `--config` names; the\n\
         variable wins. A secret may also be read from a file: `…_FILE` names it. `spyhop config show` prints what is in\n\
         force and where it came from.\n\n\
         | key | variable | default | what it does |\n|---|---|---|---|\n",
    );
    for Setting { name, variable, help, default } in settings(shown) {
        let default = if default.is_empty() { "none".to_owned() } else { format!("`{default}`") };
        page.push_str(&format!("| `{name}` | `{variable}` | {default} | {} |\n", help.replace('|', "\\|")));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_values_become_rows() {
        let values = "\
# About the file.

# -- Names
# of things.
names: {}
a:
  # -- Inner.
  b: 10Gi
  hidden: 1
# -- A block.
block:
  c: 1
list:
  # -- In a list of nothing.
  d: [x]
";
        let found = rows(values);
        let row = |key: &str, default: &str, description: &str| Row {
            key: key.to_owned(),
            default: default.to_owned(),
            description: description.to_owned(),
        };
        assert_eq!(
            found,
            [
                row("names", "`{}`", "Names of things."),
                row("a.b", "`10Gi`", "Inner."),
                row("block", "see values.yaml", "A block."),
                row("list.d", "`[x]`", "In a list of nothing."),
            ]
        );
    }

    #[test]
    fn the_table_lies_between_its_marks() {
        let readme = format!("head\n{BEGIN}\nold\n{END}\ntail\n");
        let written = with_table(&readme, "# -- One.\na: 1\n").expect("both marks are there");
        assert!(written.starts_with("head\n") && written.ends_with("\ntail\n"), "{written}");
        assert!(written.contains("| `a` | `1` | One. |") && !written.contains("old"), "{written}");
        assert_eq!(with_table(&written, "# -- One.\na: 1\n").expect("again"), written);
        assert!(with_table("no marks", "").is_err());
    }

    #[test]
    fn settings_become_a_strict_schema() {
        let shown = "# levels [SPYHOP_LOG]\nlog = \"info\"  # default\n# where [SPYHOP_DATA_DIR]\ndata_dir = \"x\"\n\
                     # time [of day] [SPYHOP_QUERY_TIME_MAX]\nquery.time_max = \"30s\"  # default\n";
        let written = with_settings("{\"properties\": {\"settings\": {}}}", shown).expect("JSON");
        let schema: Value = serde_json::from_str(&written).expect("JSON");
        let settings = &schema["properties"]["settings"];
        assert_eq!(settings["properties"]["log"]["description"], "levels");
        assert_eq!(settings["properties"]["query"]["properties"]["time_max"]["description"], "time [of day]");
        assert_eq!(settings["properties"]["data_dir"], Value::Null, "the chart sets it itself");
        assert_eq!(settings["properties"]["query"]["additionalProperties"], false);
        assert!(with_settings("{}", "").is_err());
        let page = settings_page(shown);
        assert!(page.contains("| `query.time_max` | `SPYHOP_QUERY_TIME_MAX` | `30s` | time [of day] |\n"), "{page}");
    }
}
