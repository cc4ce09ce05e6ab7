//! The gateway's folder: which files its patterns name, links resolved, within bounds.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use onramp_finding::{Finding, Severity, codes::files};

use super::pattern::{OPTIONS, check, literal_folder};
use crate::faults::Faults;
use crate::yaml::{MAX_BYTES, Node};

/// So many files and folders are looked at under one pattern.
const MAX_ENTRIES: usize = 20_000;
/// So deep folders stand in each other.
const MAX_FOLDERS: usize = 16;
/// So many files has a gateway: a thousand products, each with its fixtures.
const MAX_FILES: usize = 2_000;

/// A file's bytes; none where it is longer than a file may be.
pub(super) fn bounded(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = std::fs::File::open(path)?;
    // A pipe or a device would block, or never end.
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= MAX_BYTES).then_some(bytes))
}

/// The file that a path names, links resolved: one within the gateway's folder.
pub(crate) fn inside(folder: &Path, at: &Node, faults: &mut Faults) -> Option<PathBuf> {
    let name = at.text()?;
    let outside = Path::new(name)
        .components()
        .any(|c| !matches!(c, Component::Normal(_) | Component::CurDir));
    if outside {
        faults
            .error(
                &files::OUTSIDE,
                at,
                format!("`{name}` leads out of the gateway's folder"),
            )
            .remedy("write a path below the gateway file's folder, without `..` and without a `/` in front");
        return None;
    }
    let home = folder.canonicalize().ok()?;
    match home.join(name).canonicalize() {
        Ok(real) if real.starts_with(&home) => Some(real),
        Ok(_) => {
            refuse(name, at, faults);
            None
        }
        Err(_) => {
            let remedy = match beside(&home, name) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "check it; it is relative to the gateway file's folder".to_owned(),
            };
            faults
                .error(&files::NO_FILES, at, format!("there is no file `{name}`"))
                .remedy(remedy);
            None
        }
    }
}

/// The file of the same folder whose name is nearest.
fn beside(home: &Path, name: &str) -> Option<String> {
    let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
    let entries = std::fs::read_dir(home.join(folder)).ok()?;
    let names: Vec<String> = entries
        .take(MAX_ENTRIES)
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .collect();
    let near = onramp_finding::nearest(last, names.iter().map(String::as_str))?;
    Some(match folder {
        "" => near.to_owned(),
        folder => format!("{folder}/{near}"),
    })
}

/// The product files, each once, with the names that findings show.
pub(super) fn products(
    folder: &Path,
    gateway: &Path,
    root: &Node,
    faults: &mut Faults,
) -> Vec<(PathBuf, String)> {
    let Ok(home) = folder.canonicalize() else {
        return Vec::new();
    };
    // The gateway file is no product, whatever a pattern says.
    let mut seen: HashSet<PathBuf> = gateway.canonicalize().into_iter().collect();
    let mut out = Vec::new();
    let patterns = root.get("products").map_or(&[][..], Node::items);
    for node in patterns {
        let Some(text) = node.text().filter(|t| check(t).is_ok()) else {
            continue;
        };
        let mut walk = Walk {
            home: &home,
            found: Vec::new(),
            looked_at: 0,
            folders: HashSet::new(),
        };
        let literal = !text.contains(['*', '?', '[']);
        let start = literal_folder(text);
        if let Ok(pattern) = glob::Pattern::new(text.trim_start_matches("./")) {
            let start = start.trim_start_matches("./").trim_start_matches('.');
            walk.folder(&pattern, start, 0, node, faults);
        }
        if walk.found.is_empty() {
            none_found(literal, text, node, faults);
        }
        walk.found.sort();
        for (path, real) in walk.found {
            if seen.insert(real.clone()) {
                out.push((real, path));
            }
        }
    }
    if out.len() > MAX_FILES
        && let Some(node) = patterns.first()
    {
        faults
            .error(
                &files::BOUNDS,
                node,
                format!("the patterns name more than {MAX_FILES} files"),
            )
            .remedy("share the products out over several gateways");
        out.truncate(MAX_FILES);
    }
    if out.is_empty()
        && let Some(node) = root.get("products")
        && !faults
            .findings
            .iter()
            .any(|f| matches!(f.code.id, "ONR-111" | "ONR-112" | "ONR-107" | "ONR-109"))
    {
        faults
            .error(&files::NO_FILES, node, "no product file is found")
            .remedy("name at least one product file under `products`");
    }
    out
}

fn none_found(literal: bool, text: &str, node: &Node, faults: &mut Faults) {
    let (severity, message) = match literal {
        true => (Severity::Error, format!("there is no file `{text}`")),
        false => (Severity::Error, format!("`{text}` finds no file")),
    };
    let place = faults.place(node);
    faults
        .add(Finding::new(severity, &files::NO_FILES, place, message))
        .remedy("check it; it is relative to the gateway file's folder, `**` crosses folders and `*` does not");
}

struct Walk<'h> {
    home: &'h Path,
    found: Vec<(String, PathBuf)>,
    looked_at: usize,
    folders: HashSet<PathBuf>,
}

impl Walk<'_> {
    /// Looks through a folder, given relative to the gateway's.
    fn folder(
        &mut self,
        pattern: &glob::Pattern,
        relative: &str,
        depth: usize,
        node: &Node,
        faults: &mut Faults,
    ) {
        let path = self.home.join(relative);
        let Ok(real) = path.canonicalize() else {
            return;
        };
        if !real.starts_with(self.home) {
            return refuse(relative, node, faults);
        }
        // A link back to a folder above would lead round for ever.
        if !self.folders.insert(real.clone()) || depth > MAX_FOLDERS {
            return;
        }
        let mut names: Vec<String> = match std::fs::read_dir(&real) {
            Ok(entries) => entries
                .filter_map(|e| e.ok()?.file_name().into_string().ok())
                .filter(|name| {
                    !name.starts_with('.')
                        || pattern.as_str().contains("/.")
                        || pattern.as_str().starts_with('.')
                })
                .collect(),
            Err(e) => {
                faults
                    .error(
                        &files::UNREADABLE,
                        node,
                        format!("the folder {relative} cannot be read"),
                    )
                    .because(e.to_string())
                    .remedy("check its permissions");
                return;
            }
        };
        names.sort();
        for name in names {
            self.looked_at += 1;
            if self.looked_at > MAX_ENTRIES {
                if self.looked_at == MAX_ENTRIES + 1 {
                    faults
                        .error(
                            &files::BOUNDS,
                            node,
                            format!(
                                "more than {MAX_ENTRIES} files and folders stand below this pattern"
                            ),
                        )
                        .remedy("begin the pattern with the folder that holds the products");
                }
                return;
            }
            let inside = match relative {
                "" => name,
                _ => format!("{relative}/{name}"),
            };
            self.entry(pattern, inside, depth, node, faults);
        }
    }

    fn entry(
        &mut self,
        pattern: &glob::Pattern,
        relative: String,
        depth: usize,
        node: &Node,
        faults: &mut Faults,
    ) {
        let path = self.home.join(&relative);
        let matches = pattern.matches_with(&relative, OPTIONS);
        let Ok(metadata) = std::fs::metadata(&path) else {
            // A link to nowhere; it matters only where it is meant.
            if matches {
                faults
                    .error(
                        &files::UNREADABLE,
                        node,
                        format!("{relative} cannot be read"),
                    )
                    .because("it is a link to nothing, or its folder may not be searched")
                    .remedy("restore what it points at, or remove it");
            }
            return;
        };
        if metadata.is_dir() {
            return self.folder(pattern, &relative, depth + 1, node, faults);
        }
        if !matches {
            return;
        }
        match path.canonicalize() {
            Ok(real) if real.starts_with(self.home) => self.found.push((relative, real)),
            _ => refuse(&relative, node, faults),
        }
    }
}

fn refuse(relative: &str, node: &Node, faults: &mut Faults) {
    faults
        .error(
            &files::OUTSIDE,
            node,
            format!("{relative} is a link that leads out of the gateway's folder"),
        )
        .because("a file that one team may write must not reach into another's")
        .remedy("put the file itself there");
}
