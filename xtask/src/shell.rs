//! Running other programs: every step says what it does, and a failed one says which.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::folders;

/// Prints one line of progress.
pub fn say(text: impl AsRef<str>) {
    println!("xtask: {}", text.as_ref());
}

/// One program to run, with the words for what it does.
pub struct Step {
    what: String,
    command: Command,
    quiet: bool,
}

impl Step {
    /// A step that runs `program` in the root of the repository.
    pub fn new(what: impl Into<String>, program: impl AsRef<OsStr>) -> Step {
        let mut command = Command::new(program);
        command.current_dir(folders::root());
        Step { what: what.into(), command, quiet: false }
    }

    /// A step of the cargo that started us, with its outputs in `target`.
    pub fn cargo(what: impl Into<String>, target: &Path) -> Step {
        if let Err(error) = folders::claim(target) {
            say(format!(
                "{} could not be claimed ({error}); if it is shared with another clone, mind what it holds",
                target.display()
            ));
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut step = Step::new(what, cargo).env("CARGO_TARGET_DIR", target);
        // What `cargo run` sets for us must not leak into the builds of others.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                step.command.env_remove(&name);
            }
        }
        // The same for every command once there is a UI, so that none of them rebuilds what another has built; absent
        // before, so that its appearance is noticed (`crates/server/build.rs` watches the variable, then the folder).
        match folders::ui_dist().join("index.html").is_file() {
            true => step.env("SPYHOP_UI_DIST", folders::ui_dist()),
            false => step,
        }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Step {
        self.command.arg(argument);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Step {
        self.command.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Step {
        self.command.env(name, value);
        self
    }

    pub fn folder(mut self, folder: &Path) -> Step {
        self.command.current_dir(folder);
        self
    }

    /// Runs a tool of cargo's instead of cargo itself, with the same environment; arguments come after it.
    pub fn program(mut self, program: impl AsRef<OsStr>) -> Step {
        let mut command = Command::new(program);
        command.current_dir(folders::root());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        self.command = command;
        self
    }

    /// Does not say the step before running it.
    pub fn quiet(mut self) -> Step {
        self.quiet = true;
        self
    }

    /// Runs the step and fails where the program does.
    pub fn run(mut self) -> Result<()> {
        self.announce();
        let status = self.command.status().with_context(|| self.cannot_start())?;
        if !status.success() {
            bail!("{} failed: `{}` ended with {status}", self.what, self.command.get_program().display());
        }
        Ok(())
    }

    /// Runs the step without letting it print, and returns what it wrote to stdout.
    pub fn output(mut self) -> Result<String> {
        self.announce();
        let output = self.command.stdin(Stdio::null()).output().with_context(|| self.cannot_start())?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("{} failed ({}): {}", self.what, output.status, complaint.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs the step, shows its stdout as it comes and hands each line to `each`. True where it succeeded.
    pub fn lines(mut self, mut each: impl FnMut(&str)) -> Result<bool> {
        self.announce();
        let mut child = self.command.stdout(Stdio::piped()).spawn().with_context(|| self.cannot_start())?;
        let stdout = child.stdout.take().expect("stdout is piped");
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("reading the output of a step")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            each(&line);
        }
        Ok(child.wait()?.success())
    }

    /// Runs the step with all it prints in a file. True where it succeeded.
    pub fn logged(mut self, log: &Path) -> Result<bool> {
        self.announce();
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        self.command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(self.command.status().with_context(|| self.cannot_start())?.success())
    }

    /// Becomes the program: signals and the exit code are its own from here on.
    pub fn replace_us(mut self) -> Result<()> {
        use std::os::unix::process::CommandExt;
        self.announce();
        let error = self.command.exec();
        Err(error).with_context(|| self.cannot_start())
    }

    fn announce(&self) {
        if !self.quiet {
            say(&self.what);
        }
    }

    fn cannot_start(&self) -> String {
        format!("{}: cannot start `{}`", self.what, self.command.get_program().display())
    }
}

/// The first of these programs that is on the path.
pub fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names.iter().find_map(|name| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|p| p.is_file()))
}
