//! The files of the container image, gathered from the built binary: `deploy/container/Dockerfile` runs this in its
//! build stage and copies the result onto nothing, the black-box test runs the same files under an OCI runtime.
//!
//! Two folders: `root` is the image's file tree, owned by root; `data/spyhop` is the empty data folder, which belongs
//! to the user that the image runs as and which the Dockerfile copies with that owner.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::folders;
use crate::shell::{Step, find_program, say};

/// Who the image runs as; a number that no host gives to a person.
const USER: u32 = 65_532;

/// `cargo xtask image [folder]`, from `$SPYHOP_BINARY`, else from the binary that `cargo xtask build` made.
pub fn run(arguments: &[String]) -> Result<()> {
    let folder = arguments.first().map_or_else(default_folder, PathBuf::from);
    let binary = env::var_os("SPYHOP_BINARY").map_or_else(folders::binary, PathBuf::from);
    gather(&binary, &folder).map(drop)
}

/// Where the test looks for the files.
pub fn default_folder() -> PathBuf {
    folders::root().join("target/image")
}

/// Gathers the files of the image below `folder`, anew.
pub fn gather(binary: &Path, folder: &Path) -> Result<PathBuf> {
    let folder = std::path::absolute(folder).context("cannot tell where the image's files go")?;
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot clear {}", folder.display()));
        }
        _ => {}
    }
    let tree = Tree { root: folder.join("root") };
    fs::create_dir_all(folder.join("data/spyhop")).context("cannot make the data folder")?;
    tree.copy(binary, "/usr/bin/spyhop", 0o755)?;
    tree.strip("/usr/bin/spyhop")?;
    let listed = Step::new("asking which libraries the binary needs", "ldd").quiet().arg(binary).output()?;
    let libraries = libraries(&listed)?;
    for library in &libraries {
        // The file itself under the name that the loader asks for; links between versions stay behind.
        tree.copy(Path::new(library), &merged(library), 0o755)?;
    }
    tree.link_merged()?;
    tree.write(
        "/etc/passwd",
        &format!("root:x:0:0:root:/:/none\nspyhop:x:{USER}:{USER}:Spyhop:/var/lib/spyhop:/none\n"),
    )?;
    tree.write("/etc/group", &format!("root:x:0:\nspyhop:x:{USER}:\n"))?;
    // Names are looked up in /etc/hosts, then by DNS; glibc knows both without further libraries.
    tree.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")?;
    tree.copy(&folders::root().join("LICENSE"), "/usr/share/doc/spyhop/LICENSE", 0o644)?;
    tree.say_what_is_inside(&libraries)?;
    fs::create_dir_all(tree.root.join("tmp")).context("cannot make /tmp")?;
    fs::set_permissions(tree.root.join("tmp"), fs::Permissions::from_mode(0o1777)).context("cannot open /tmp")?;
    let bytes = size(&tree.root)?;
    say(format!("gathered the image's files in {} ({:.1} MiB)", folder.display(), bytes as f64 / f64::from(1 << 20)));
    Ok(folder)
}

/// Paths in what `ldd` prints: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`.
///
/// The kernel's own object has no path; a library that is missing has none either, and is an error.
fn libraries(listed: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for line in listed.lines().map(str::trim) {
        if line.contains("not found") {
            bail!("the binary needs a library that is missing here: {line}");
        }
        let place = line.split_once(" => ").map_or(line, |(_, place)| place);
        found.extend(place.split_whitespace().next().filter(|path| path.starts_with('/')).map(str::to_owned));
    }
    Ok(found)
}

/// Folders that distributions have moved into /usr, leaving links.
const MERGED: [&str; 2] = ["lib", "lib64"];

/// Where a file lies in the image: below /usr where this machine has moved its folder there, as scanners expect it.
fn merged(path: &str) -> String {
    let top = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let is_link = fs::symlink_metadata(Path::new("/").join(top)).is_ok_and(|metadata| metadata.is_symlink());
    if MERGED.contains(&top) && is_link { format!("/usr{path}") } else { path.to_owned() }
}

/// The image's file tree.
struct Tree {
    root: PathBuf,
}

impl Tree {
    fn place(&self, path: &str) -> Result<PathBuf> {
        let place = self.root.join(path.trim_start_matches('/'));
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(place)
    }

    fn copy(&self, from: &Path, path: &str, mode: u32) -> Result<()> {
        let place = self.place(path)?;
        fs::copy(from, &place).with_context(|| format!("cannot copy {} to {}", from.display(), place.display()))?;
        fs::set_permissions(&place, fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot set the mode of {}", place.display()))
    }

    /// Takes the symbol table away, a fifth of the file. Panics still say file and line; whoever needs names in a
    /// backtrace has the binary that the image was made from.
    fn strip(&self, path: &str) -> Result<()> {
        match find_program(&["strip"]) {
            Some(strip) => Step::new("stripping the image's binary", strip).quiet().arg(self.place(path)?).run(),
            None => {
                say("strip is missing: the image is about a fifth larger");
                Ok(())
            }
        }
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let place = self.place(path)?;
        fs::write(&place, text).with_context(|| format!("cannot write {}", place.display()))
    }

    /// The links that a distribution with one /usr has.
    fn link_merged(&self) -> Result<()> {
        for top in MERGED {
            let link = self.root.join(top);
            if self.root.join("usr").join(top).is_dir() && !link.exists() {
                symlink(format!("usr/{top}"), &link).with_context(|| format!("cannot link {}", link.display()))?;
            }
        }
        Ok(())
    }

    /// Licences of what is inside, and the package records by which vulnerability scanners know the versions; nothing
    /// where the libraries came from no Debian package.
    fn say_what_is_inside(&self, libraries: &[String]) -> Result<()> {
        let release = Path::new("/etc/os-release");
        if release.is_file() {
            self.copy(release, "/etc/os-release", 0o644)?;
        }
        for package in packages(libraries) {
            let Ok(record) =
                Step::new("asking for a package", "dpkg-query").quiet().args(["--status", &package]).output()
            else {
                continue;
            };
            self.write(&format!("/var/lib/dpkg/status.d/{package}"), &record)?;
            let licence = format!("/usr/share/doc/{package}/copyright");
            if Path::new(&licence).is_file() {
                self.copy(Path::new(&licence), &licence, 0o644)?;
            }
        }
        Ok(())
    }
}

/// The Debian packages of these files.
fn packages(files: &[String]) -> Vec<String> {
    let mut found = BTreeMap::new();
    for file in files {
        for path in [file.clone(), format!("/usr{file}")] {
            let answer =
                Step::new("asking for a file's package", "dpkg-query").quiet().args(["--search", &path]).output();
            // libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6
            let name = answer.ok().and_then(|text| text.split([':', ',']).next().map(str::to_owned));
            found.extend(name.filter(|name| !name.is_empty()).map(|name| (name, ())));
        }
    }
    found.into_keys().collect()
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_in_what_ldd_prints() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f1)\n\
                      \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f2)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f3)\n";
        let expect =
            ["/lib/x86_64-linux-gnu/libgcc_s.so.1", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(libraries(listed).expect("all found"), expect);
        assert!(libraries("\tlibz.so.1 => not found\n").is_err());
        assert_eq!(libraries("\tstatically linked\n").expect("nothing needed"), [""; 0]);
    }
}
