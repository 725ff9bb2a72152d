//! What builds and tests need beside Rust: installed when missing, named in a sentence when that fails.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::folders;
use crate::shell::{Step, find_program, say};

/// npm's package of wasm-opt; a version of its own in the cache, so that clones share it.
const BINARYEN: &str = "binaryen@132.0.0";

/// wasm-opt and its arguments; nothing where npm is missing, which costs bytes and nothing else.
pub fn wasm_opt() -> Result<Option<Vec<String>>> {
    let Some(npm) = find_program(&["npm"]) else {
        say("npm is missing: the UI is packed without wasm-opt, about a tenth larger");
        return Ok(None);
    };
    let folder = folders::cache().join(BINARYEN.replace('@', "-"));
    let program = folder.join("node_modules/binaryen/bin/wasm-opt");
    if !program.is_file() {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let installed = Step::new("installing wasm-opt (npm's binaryen)", npm)
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", BINARYEN])
            .folder(&folder)
            .run();
        if let Err(error) = installed {
            say(format!("{error:#}; the UI is packed without wasm-opt"));
            return Ok(None);
        }
    }
    let mut arguments = vec![program.to_string_lossy().into_owned()];
    let features = ["bulk-memory", "nontrapping-float-to-int", "sign-ext", "mutable-globals", "reference-types"];
    arguments.push("-Oz".to_owned());
    arguments.extend(features.iter().map(|feature| format!("--enable-{feature}")));
    arguments.push("--enable-multivalue".to_owned());
    Ok(Some(arguments))
}

/// A Python with the packages that most tests need.
pub fn python() -> Result<PathBuf> {
    python_environment("python", "tests/python_app/requirements.txt")
}

/// A Python with the packages of a requirements.txt, all pinned, in a folder of the cache of its own.
pub fn python_environment(name: &str, requirements: &str) -> Result<PathBuf> {
    let wanted = fs::read_to_string(folders::root().join(requirements))
        .with_context(|| format!("cannot read {requirements}"))?;
    let folder = folders::cache().join(name);
    let (python, stamp) = (folder.join("bin/python"), folder.join("requirements.stamp"));
    if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|old| old == wanted) {
        return Ok(python);
    }
    let system = match find_program(&["python3"]) {
        Some(system) => system,
        None => {
            apt_install("python3 for the tests", &["python3", "python3-venv"])?;
            find_program(&["python3"]).context("python3 is still missing after its installation")?
        }
    };
    let venv = |system: &Path| {
        Step::new("making a Python environment for the tests", system)
            .args(["-m", "venv", "--clear"])
            .arg(&folder)
            .run()
    };
    if venv(&system).is_err() {
        apt_install("Python's venv module", &["python3-venv"])?;
        venv(&system)?;
    }
    Step::new("installing the tests' Python packages (pinned)", &python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements)
        .run()?;
    fs::write(&stamp, wanted).context("cannot note which Python packages are installed")?;
    Ok(python)
}

/// Node.js 20 or newer, with the packages of the UI tests, the Node app and the Node clients, pinned by their lock files.
pub fn node() -> Result<PathBuf> {
    let node = program("node", &["nodejs", "npm"])?;
    let version = Step::new("asking node for its version", &node).quiet().arg("--version").output()?;
    let major: u32 = version.trim().trim_start_matches('v').split('.').next().unwrap_or_default().parse()?;
    if major < 20 {
        bail!("the tests need Node.js 20 or newer; {} is {}", node.display(), version.trim());
    }
    for folder in ["tests/e2e", "tests/node_app", "tests/clients/node", "tests/doors"] {
        install_locked(&folders::root().join(folder))?;
    }
    Ok(node)
}

/// What the folder's package-lock.json names, where it is not there already.
fn install_locked(folder: &Path) -> Result<()> {
    let shown = folder.strip_prefix(folders::root()).unwrap_or(folder).display();
    let wanted = fs::read_to_string(folder.join("package-lock.json"))
        .with_context(|| format!("cannot read the package-lock.json of {shown}"))?;
    let stamp = folder.join("node_modules/.spyhop-stamp");
    if fs::read_to_string(&stamp).is_ok_and(|old| old == wanted) {
        return Ok(());
    }
    Step::new(format!("installing the Node packages of {shown} (pinned)"), program("npm", &["npm"])?)
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .folder(folder)
        .run()?;
    fs::write(&stamp, wanted).context("cannot note which Node packages are installed")
}

/// A Chromium.
pub fn chromium() -> Result<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    if let Some(found) = find_program(&names) {
        return Ok(found);
    }
    apt_install("a browser for the UI tests", &["chromium"])?;
    find_program(&names).context("chromium is still missing after its installation")
}

fn program(name: &str, packages: &[&str]) -> Result<PathBuf> {
    if let Some(found) = find_program(&[name]) {
        return Ok(found);
    }
    apt_install(&format!("{name} for the tests"), packages)?;
    find_program(&[name]).with_context(|| format!("{name} is still missing after its installation"))
}

/// Installs Debian packages where there is apt-get and we may use it.
pub fn apt_install(what: &str, packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let Some(apt) = find_program(&["apt-get"]) else {
        bail!("the tests need {what}, and there is no apt-get to install it: install {list}, then retry");
    };
    let root = Step::new("asking who we are", "id").quiet().arg("-u").output()?.trim() == "0";
    let step = |words: String| match (root, find_program(&["sudo"])) {
        (true, _) => Ok(Step::new(words, &apt)),
        (false, Some(sudo)) => Ok(Step::new(words, sudo).arg("--non-interactive").arg(&apt)),
        (false, None) => Err(anyhow::anyhow!("installing {what} needs root: run `apt-get install {list}` as root")),
    };
    step("updating apt's package lists".to_owned())?.args(["update", "-qq"]).run()?;
    step(format!("installing {list}"))?
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}
