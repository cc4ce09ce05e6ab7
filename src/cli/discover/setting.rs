//! What discovery begins with: a gateway file that is there, or one that is drafted from an address.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use onramp_finding::codes::{discovery as codes, files, running};
use onramp_finding::{Finding, Place, Severity};
use onramp_language::{Gateway, Overrides, Reading, Tables};

use super::Arguments;
use crate::cli::files::Files;
use crate::discover::gateway::{self, Password, Source};

/// Where drafts come from and go to.
pub(super) struct Setting {
    pub(super) gateway: Gateway,
    /// The gateway file's text where it is drafted too, and its path.
    pub(super) drafted: Option<(PathBuf, String)>,
    /// The folder of products.
    pub(super) products: PathBuf,
    /// The gateway's key for pseudonyms.
    pub(super) key: Option<String>,
    pub(super) existing: Existing,
}

/// What the gateway has already.
#[derive(Default)]
pub(super) struct Existing {
    pub(super) mapped: Vec<(Tables, String)>,
    /// Names of products with their files, as far as they are known.
    names: Vec<(String, Option<PathBuf>)>,
}

/// By a gateway file.
pub(super) fn of_config(arguments: &Arguments) -> Result<Setting, Vec<Finding>> {
    let config = &arguments.files.config;
    let reading = onramp_language::read(config, &arguments.files.overrides()?);
    let folder = config.parent().unwrap_or(Path::new(""));
    let existing = Existing::of(&reading, folder);
    let Some(gateway) = reading.gateway else {
        // A gateway without products is what discovery begins with.
        return Err(reading.findings);
    };
    let out = arguments.out.clone();
    Ok(Setting {
        key: key(&gateway),
        products: out.unwrap_or_else(|| folder.join("products")),
        drafted: None,
        gateway,
        existing,
    })
}

/// The products that the gateway file names now.
pub(super) fn named(files: &Files) -> HashSet<String> {
    let overrides = files.overrides().unwrap_or_default();
    let reading = onramp_language::read(&files.config, &overrides);
    let products = reading.gateway.into_iter().flat_map(|g| g.products);
    let names = products.map(|p| p.name.value.to_string());
    names.chain(reading.refused).collect()
}

/// The gateway's key for pseudonyms: one that is called so, else the first.
fn key(gateway: &Gateway) -> Option<String> {
    let names = || gateway.keys.iter().map(|(name, _)| name);
    let called = names().find(|n| n.starts_with("pii") || n.contains("personal"));
    called.or_else(|| names().next()).cloned()
}

impl Existing {
    fn of(reading: &Reading, folder: &Path) -> Existing {
        let mut existing = Existing::default();
        for product in reading.gateway.iter().flat_map(|g| &g.products) {
            let name = product.name.value.to_string();
            existing.mapped.push((product.tables.clone(), name.clone()));
            let file = folder.join(&product.name.file.name);
            existing.names.push((name, Some(file)));
        }
        existing
            .names
            .extend(reading.refused.iter().map(|n| (n.clone(), None)));
        existing
    }

    /// The names in a domain that no draft may take.
    pub(super) fn taken(&self, domain: &str, products: &Path, force: bool) -> HashSet<String> {
        let own = |name: &str| products.join(domain).join(format!("{name}.yaml"));
        let same = |a: &Path, b: &Path| match (a.canonicalize(), b.canonicalize()) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        };
        self.names
            .iter()
            .filter_map(|(full, file)| {
                let (of, rest) = full.split_once('.')?;
                let name = rest.split('.').next()?;
                // One that is drafted anew keeps its name.
                let anew = force
                    && match file {
                        Some(file) => same(file, &own(name)),
                        None => own(name).exists(),
                    };
                (of == domain && !anew).then(|| name.to_owned())
            })
            .collect()
    }
}

/// By a database's address, with a gateway file to be drafted.
pub(super) fn of_source(arguments: &Arguments, url: &str) -> Result<Setting, Vec<Finding>> {
    let absolute = |path: &Option<PathBuf>| {
        let path = path.as_ref()?;
        Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
    };
    let password = match (&arguments.password_env, absolute(&arguments.password_file)) {
        (Some(name), _) => Some(Password::Env(name.clone())),
        (None, file) => file.map(Password::File),
    };
    let text = gateway::draft(&Source {
        url: url.to_owned(),
        password,
        tls: arguments.tls.clone(),
        ca: absolute(&arguments.ca),
    });
    let out = arguments.out.clone().unwrap_or_default();
    let path = out.join("onramp.yaml");
    if path.exists() && !arguments.force {
        let place = Place::Path(path.display().to_string());
        let finding = Finding::error(
            &codes::CANNOT_WRITE,
            place,
            "there is a gateway file already",
        );
        let remedy = format!(
            "discover with `--config {}`, or add `--force`",
            path.display()
        );
        return Err(vec![finding.remedy(remedy)]);
    }
    let gateway = read_draft(&text)?;
    Ok(Setting {
        gateway,
        drafted: Some((path, text)),
        products: out.join("products"),
        key: Some(gateway::KEY.to_owned()),
        existing: Existing::default(),
    })
}

/// The drafted gateway file, as the language reads it: the address is judged there.
fn read_draft(text: &str) -> Result<Gateway, Vec<Finding>> {
    let internal = |e: std::io::Error| {
        vec![Finding::error(
            &running::INTERNAL,
            Place::Nowhere,
            format!("no temporary file: {e}"),
        )]
    };
    let folder = tempfile::tempdir().map_err(internal)?;
    let path = folder.path().join("onramp.yaml");
    std::fs::write(&path, text).map_err(internal)?;
    let reading = onramp_language::read(&path, &Overrides::default());
    let mut wrong = reading.findings;
    // There are no products yet.
    wrong.retain(|f| f.severity == Severity::Error && f.code != &files::NO_FILES);
    match reading.gateway {
        Some(gateway) if wrong.is_empty() => Ok(gateway),
        _ => {
            for finding in &mut wrong {
                finding.place = Place::Setting("--source and what belongs to it".into());
            }
            Err(wrong)
        }
    }
}
