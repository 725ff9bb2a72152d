//! What the Dockerfile says of the image, so that the tests run it with those settings and no copy of them.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

/// The settings of the last stage.
#[derive(Debug, Default)]
pub struct Image {
    pub environment: BTreeMap<String, String>,
    /// uid and gid.
    pub user: (u32, u32),
    pub folder: String,
    pub volumes: Vec<String>,
    pub ports: Vec<u16>,
    pub stop_signal: String,
    pub health: Vec<String>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub base: String,
}

impl Image {
    /// Reads `deploy/container/Dockerfile`.
    pub fn read() -> Result<Image> {
        let path = super::repository("deploy/container/Dockerfile");
        parse(&fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?)
    }

    /// Entrypoint and command together, as the container runs them.
    pub fn arguments(&self) -> Vec<String> {
        self.entrypoint.iter().chain(&self.command).cloned().collect()
    }
}

fn parse(text: &str) -> Result<Image> {
    let mut image = Image::default();
    for line in instructions(text) {
        let (word, rest) = line.split_once(' ').with_context(|| format!("not an instruction: {line}"))?;
        let rest = rest.trim();
        match word {
            "FROM" => image = Image { base: rest.to_owned(), ..Image::default() },
            "ENV" => {
                let pairs = rest.split_whitespace().filter_map(|pair| pair.split_once('='));
                image.environment.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
            }
            "USER" => {
                let (user, group) = rest.split_once(':').context("USER names a user and a group")?;
                image.user = (user.parse()?, group.parse()?);
            }
            "WORKDIR" => image.folder = rest.to_owned(),
            "VOLUME" => image.volumes = words(rest)?,
            "EXPOSE" => image.ports = rest.split_whitespace().filter_map(|port| port.parse().ok()).collect(),
            "STOPSIGNAL" => image.stop_signal = rest.to_owned(),
            "HEALTHCHECK" => image.health = words(rest.split_once("CMD ").context("HEALTHCHECK has a CMD")?.1)?,
            "ENTRYPOINT" => image.entrypoint = words(rest)?,
            "CMD" => image.command = words(rest)?,
            _ => {}
        }
    }
    Ok(image)
}

/// Instructions without comments, continued lines joined.
fn instructions(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut continued = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let part = line.trim_end_matches('\\').trim();
        match found.last_mut().filter(|_| continued) {
            Some(last) => last.push_str(&format!(" {part}")),
            None => found.push(part.to_owned()),
        }
        continued = line.ends_with('\\');
    }
    found
}

/// The words of an instruction in JSON form, which needs no shell.
fn words(json: &str) -> Result<Vec<String>> {
    let list: Value = serde_json::from_str(json).with_context(|| format!("needs a shell: {json}"))?;
    Ok(super::render::items(&list).iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[test]
fn the_last_stage_counts() -> Result<()> {
    let image = parse(
        "# head\nFROM a AS b\nENV X=1\nUSER 1:1\nFROM scratch\nENV A=1 \\\n    # why\n    B=2\nUSER 7:8\nEXPOSE 1 2\n\
         HEALTHCHECK --interval=1s CMD [\"/x\", \"y\"]\nENTRYPOINT [\"/x\"]\nCMD [\"serve\"]\n",
    )?;
    assert_eq!(image.environment, BTreeMap::from([("A".into(), "1".into()), ("B".into(), "2".into())]));
    assert_eq!((image.user, image.base.as_str()), ((7, 8), "scratch"));
    assert_eq!((image.ports.clone(), image.health.clone()), (vec![1, 2], vec!["/x".to_owned(), "y".to_owned()]));
    assert_eq!(image.arguments(), ["/x", "serve"]);
    assert!(parse("CMD run me").is_err());
    Ok(())
}
