//! From a path to a gateway with its products, and every fault on the way.
//!
//! Files are read from the gateway file's folder and below it only. What one file gets wrong
//! never hides what is wrong with another.

mod folder;
mod overlay;
pub(crate) mod pattern;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use onramp_finding::{Finding, Place, Severity, SourceFile, Span, codes::files};

use crate::definition::GATEWAY;
use crate::faults::Faults;
use crate::read::{self, Surroundings, Within};
use crate::yaml::{self, Content, MAX_BYTES, Node};
use crate::{Fixtures, Gateway, Product, RowsBefore};

pub(crate) use folder::inside;
pub use overlay::Overrides;

/// A gateway that was read without an error.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The gateway with all its products.
    pub gateway: Gateway,
    /// Warnings.
    pub warnings: Vec<Finding>,
}

/// Everything that reading gave, faults and all.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The gateway with the products that are without fault; none where the gateway file itself
    /// has one.
    pub gateway: Option<Gateway>,
    /// The names of the products that are refused, where a name could be read.
    pub refused: Vec<String>,
    /// The tests of mappings that stand among the products.
    pub fixtures: Vec<Fixtures>,
    /// Errors and warnings of all files.
    pub findings: Vec<Finding>,
}

/// Reads a gateway file and all its products; any error in any file refuses the whole, with all
/// findings of all files.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded, Vec<Finding>> {
    let reading = read(path, overrides);
    match reading.gateway {
        Some(gateway) if !onramp_finding::any_error(&reading.findings) => Ok(Loaded {
            gateway,
            warnings: reading.findings,
        }),
        _ => Err(reading.findings),
    }
}

/// Reads a gateway file and all its products, as far as they can be read.
pub fn read(path: &Path, overrides: &Overrides) -> Reading {
    let mut reading = Reading {
        gateway: None,
        refused: Vec::new(),
        fixtures: Vec::new(),
        findings: Vec::new(),
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().map_or_else(
        || path.display().to_string(),
        |n| n.to_string_lossy().into_owned(),
    );
    let Some((file, root)) = open(path, &name, &mut reading.findings) else {
        return reading;
    };
    let mut faults = Faults::new(file);
    let mut root = root;
    if !first_key(&root, "gateway", &mut faults) {
        reading.findings.extend(faults.sorted());
        return reading;
    }
    overlay::apply(&mut root, overrides, &mut faults);
    crate::check::file(&root, GATEWAY, &mut faults);
    let gateway = read::gateway(&root, folder, &mut faults);
    let sound = !onramp_finding::any_error(&faults.findings);
    let product_files = folder::products(folder, path, &root, &mut faults);
    reading.findings.extend(faults.sorted());

    let keys: Vec<String> = root
        .get("keys")
        .map_or(&[][..], Node::entries)
        .iter()
        .map(|e| e.key.clone())
        .collect();
    let around = Surroundings {
        keys: &keys,
        drafts: root.text_at(&["drafts"]) == Some("true"),
        within: Within::Entity,
        rows_before: RowsBefore::None,
        opens: None,
        folder,
    };
    let mut products: Vec<Product> = Vec::new();
    let mut names: HashMap<String, String> = HashMap::new();
    for (path, name) in product_files {
        if let Some(product) = one_product(&path, &name, &around, &mut names, &mut reading) {
            products.push(product);
        }
    }
    // Of two products of one name both are refused: nobody knows which one is meant.
    products.retain(|p| !reading.refused.contains(&p.name.value.to_string()));
    products.sort_by(|a, b| a.name.value.cmp(&b.name.value));
    fixtures_name_products(&names, &mut reading);
    reading.refused.sort();
    reading.refused.dedup();
    if sound {
        reading.gateway = gateway.map(|g| Gateway { products, ..g });
    }
    reading
}

/// Reads a product file; `names` says in which files products of which names were found.
fn one_product(
    path: &Path,
    name: &str,
    around: &Surroundings<'_>,
    names: &mut HashMap<String, String>,
    reading: &mut Reading,
) -> Option<Product> {
    let before = reading.findings.len();
    let (file, root) = open(path, name, &mut reading.findings)?;
    let mut faults = Faults::new(file);
    if root.entries().first().is_some_and(|e| e.key == "fixtures") {
        let fixtures = read::fixtures(&root, path, &mut faults);
        reading.fixtures.extend(fixtures);
        reading.findings.extend(faults.sorted());
        return None;
    }
    let product = match first_key(&root, "product", &mut faults) {
        true => read::product(&root, around, &mut faults),
        false => None,
    };
    let named = faults.product.clone();
    if let (Some(named), Some(node)) = (&named, root.get("product")) {
        match names.get(named) {
            None => {
                names.insert(named.clone(), name.to_owned());
            }
            Some(other) => {
                faults
                    .error(
                        &files::DUPLICATE_NAME,
                        node,
                        format!("the product {named} stands in two files"),
                    )
                    .because(format!(
                        "it stands in {other} already, and both would write to one topic"
                    ))
                    .remedy("rename one of the two, or give it another version");
            }
        }
    }
    reading.findings.extend(faults.sorted());
    let sound = !onramp_finding::any_error(&reading.findings[before..]);
    let product = product.filter(|_| sound);
    if product.is_none() {
        reading.refused.extend(named);
    }
    product
}

/// Tests of a product that nobody reads test nothing.
fn fixtures_name_products(names: &HashMap<String, String>, reading: &mut Reading) {
    for fixtures in &reading.fixtures {
        let wanted = fixtures.product.value.to_string();
        if names.contains_key(&wanted) || reading.refused.contains(&wanted) {
            continue;
        }
        let finding = Finding::error(
            &files::FIXTURES_OF_NOTHING,
            fixtures.product.place(),
            format!("there is no product {wanted}"),
        );
        let near = onramp_finding::nearest(&wanted, names.keys().map(String::as_str));
        reading.findings.push(finding.remedy(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => files::FIXTURES_OF_NOTHING.remedy.to_owned(),
        }));
    }
}

/// A file's text, or why there is none. A byte order mark is no part of it.
pub(crate) fn text_of(path: &Path, name: &str) -> Result<String, Box<Finding>> {
    let whole = |code, message: String| Finding::error(code, Place::Path(name.to_owned()), message);
    let bytes = match folder::bounded(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let message = format!("the file is longer than {} KiB", MAX_BYTES >> 10);
            let finding = whole(&files::BOUNDS, message);
            return Err(Box::new(finding.remedy("split it into several files")));
        }
        Err(e) => {
            let message = format!("the file {} cannot be read", path.display());
            let finding = whole(&files::UNREADABLE, message).because(e.to_string());
            let remedy = "check the path, the permissions and, in a container, that it is mounted";
            return Err(Box::new(finding.remedy(remedy)));
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()),
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            let message = format!("the file {name} is not UTF-8 text");
            let finding = whole(&files::UNREADABLE, message);
            let finding = finding.because(format!("byte {} is not", at + 1));
            Err(Box::new(finding.remedy("save it as UTF-8")))
        }
    }
}

/// Reads a file into a tree; its faults are added. None where there is nothing to go on with.
fn open(path: &Path, name: &str, findings: &mut Vec<Finding>) -> Option<(Arc<SourceFile>, Node)> {
    let text = match text_of(path, name) {
        Ok(text) => text,
        Err(finding) => {
            findings.push(*finding);
            return None;
        }
    };
    let (root, found) = yaml::parse(&text);
    let mut shown = yaml::mask(&text, root.as_ref());
    if shown.is_empty() {
        // A file without text stands for a setting; see `Spanned::place`.
        shown.push('\n');
    }
    let file = Arc::new(SourceFile {
        name: name.to_owned(),
        text: shown,
    });
    for fault in found {
        let place = Place::File {
            file: file.clone(),
            span: fault.span,
        };
        let mut finding = Finding::new(Severity::Error, fault.code, place, fault.message);
        finding.reason = fault.reason;
        finding.remedy = fault.remedy;
        findings.push(finding);
    }
    let broken = findings.last().is_some_and(|f| {
        root.is_none() && matches!(&f.place, Place::File { file: at, .. } if Arc::ptr_eq(at, &file))
    });
    match root {
        Some(root) => Some((file, root)),
        None if broken => None,
        None => Some((
            file,
            Node {
                span: Span::default(),
                content: Content::Empty,
                setting: None,
            },
        )),
    }
}

/// Whether the first key says that the file is what it is read as.
fn first_key(root: &Node, wanted: &str, faults: &mut Faults) -> bool {
    let first = root.entries().first();
    let message = match (&root.content, first.map(|e| e.key.as_str())) {
        (_, Some(key)) if key == wanted => return true,
        (Content::Map(_), Some("policy")) if wanted == "product" => {
            let Some(entry) = first else { return false };
            faults
                .error(
                    &files::NOT_BUILT,
                    &entry.key_node(),
                    format!(
                        "files that begin with `{}` are part of the language but not built yet",
                        entry.key
                    ),
                )
                .remedy("keep the file out of the gateway's `products` for now");
            return false;
        }
        (Content::Map(_), Some(key)) if root.get(wanted).is_some() => {
            format!("`{key}` stands before `{wanted}`")
        }
        (Content::Map(_), Some(key)) => match onramp_finding::nearest(key, std::iter::once(wanted))
        {
            Some(_) => format!("unknown first key `{key}`; did you mean `{wanted}`?"),
            None => format!("the first key is `{key}`, and a {wanted} file begins with `{wanted}`"),
        },
        _ => format!("a {wanted} file begins with `{wanted}`, and this file has no keys"),
    };
    let at = first.map_or(root.span, |e| e.key_span);
    faults
        .error_at(&files::FIRST_KEY, at, message)
        .because("the first key decides what may stand in the file")
        .remedy(format!("begin the file with its `{wanted}:` line"));
    false
}
