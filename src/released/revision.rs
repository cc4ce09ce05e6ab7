//! The gateway's files as version control has them at a revision.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use onramp_finding::{Finding, Place, codes::contracts};
use onramp_language::Overrides;

use super::lock::{Lock, Released};

/// What a revision has.
pub(crate) struct Revision {
    /// As it was named.
    pub(crate) name: String,
    /// The contracts of its files, by product.
    pub(super) contracts: BTreeMap<String, Released>,
    /// What was released at it.
    pub(super) lock: Option<Lock>,
}

impl Revision {
    /// Reads the files of the gateway's folder at a revision, without touching the repository: its
    /// index and work tree stay as they are.
    pub(crate) fn read(
        name: &str,
        config: &Path,
        overrides: &Overrides,
    ) -> Result<Revision, Box<Finding>> {
        let refused = |why: String| {
            let message = format!("the files at revision {name} cannot be read");
            let place = Place::Setting("--against".to_owned());
            let finding = Finding::error(&contracts::REVISION, place, message);
            Box::new(finding.because(why).remedy(contracts::REVISION.remedy))
        };
        // It would be read as an option.
        if name.starts_with('-') || name.is_empty() {
            return Err(refused("it is no name of a revision".to_owned()));
        }
        let folder = match config.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let scratch = tempfile::tempdir().map_err(|e| refused(e.to_string()))?;
        let git = |at: &Path, arguments: &[&str]| -> Result<String, String> {
            let output = Command::new("git")
                .arg("-C")
                .arg(at)
                .args(arguments)
                .env("GIT_INDEX_FILE", scratch.path().join("index"))
                .stdin(Stdio::null())
                .output()
                .map_err(|e| format!("git cannot be run: {e}"))?;
            match output.status.success() {
                true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
                false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            }
        };
        let checkout = || {
            let prefix = git(folder, &["rev-parse", "--show-prefix"])?;
            // Within a folder below it, `checkout-index` would look for that folder in the index.
            let top = PathBuf::from(git(folder, &["rev-parse", "--show-toplevel"])?);
            let revision = format!("{name}^{{commit}}");
            let commit = git(&top, &["rev-parse", "--verify", "--quiet", &revision])
                .map_err(|_| "git knows no such revision".to_owned())?;
            git(&top, &["read-tree", &format!("{commit}:{prefix}")])
                .map_err(|_| "it has no such folder".to_owned())?;
            let tree = format!("{}/tree/", scratch.path().display());
            git(&top, &["checkout-index", "--all", "--prefix", &tree])
        };
        checkout().map_err(refused)?;
        let tree = scratch.path().join("tree");
        let file = config.file_name().unwrap_or_default();
        let then = onramp_language::read(&tree.join(file), overrides);
        let Some(gateway) = then.gateway else {
            let why = then.findings.first().map(|f| f.message.clone());
            return Err(refused(why.unwrap_or_default()));
        };
        let contracts = gateway
            .products
            .iter()
            .filter(|p| p.status.is_published())
            .map(|p| (p.name.value.to_string(), Released::of(p)))
            .collect();
        Ok(Revision {
            name: name.to_owned(),
            contracts,
            lock: Lock::beside(&tree.join(file))?,
        })
    }
}
