//! Lookups: a file of the gateway's folder that maps codes to values of a field's type.
//!
//! A CSV file begins with a header that names the columns `code` and `value`; others are for people.
//! A YAML file is a map of codes to values. What is wrong is told at its place in that file.

mod csv;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use onramp_finding::{Finding, Place, SourceFile, Span, codes::files};

use super::product::Surroundings;
use crate::faults::Faults;
use crate::literal::written;
use crate::load::{inside, text_of};
use crate::yaml::{self, Content, Node};
use crate::{Constant, Fallback, Lookup, Scalar};
use onramp_finding::nearest;

/// A code and a value with their places in the file.
struct Pair {
    code: (Span, String),
    value: (Span, String),
}

/// The lookup that stands beside a field of a type; none where it cannot be used.
pub(crate) fn lookup(
    field: &Node,
    scalar: Scalar,
    optional: bool,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Lookup> {
    let node = field.get("lookup")?;
    let otherwise = otherwise(node, scalar, optional, faults);
    let at = node.get("file")?;
    let name = at.text().filter(|t| !t.trim().is_empty())?;
    let path = inside(around.folder, at, faults)?;
    let pairs = pairs(&path, name, at, faults)?;
    let entries = entries(pairs, scalar, faults)?;
    Some(Lookup {
        file: faults.spanned(at, name.to_owned()),
        entries,
        otherwise,
    })
}

fn otherwise(node: &Node, scalar: Scalar, optional: bool, faults: &mut Faults) -> Fallback {
    let Some(at) = node.get("otherwise") else {
        return Fallback::Fail;
    };
    match (at.text(), at.get("value")) {
        (Some("null"), _) => {
            if !optional {
                faults
                    .error(
                        &files::LOOKUP,
                        at,
                        "`otherwise: null` stands beside a field that is not optional",
                    )
                    .because("the field's schema has no null")
                    .remedy("add `optional: true`, or give a value: `otherwise: { value: … }`");
            }
            Fallback::Null
        }
        (None, Some(at)) => match constant(at, scalar, faults) {
            Some(value) => Fallback::Value(faults.spanned(at, value)),
            None => Fallback::Fail,
        },
        _ => Fallback::Fail,
    }
}

/// A value of a field's type that stands in a product's file.
pub(crate) fn constant(node: &Node, scalar: Scalar, faults: &mut Faults) -> Option<Constant> {
    let text = node.text()?;
    let found = Constant::of(text, scalar);
    if found.is_none() {
        faults
            .error(
                &files::CONSTANT,
                node,
                "the text is no value of the field's type",
            )
            .remedy(format!("write {}", written(scalar)));
    }
    found
}

/// A file with its pairs.
type Pairs = (Arc<SourceFile>, Vec<Pair>);

fn pairs(path: &Path, name: &str, at: &Node, faults: &mut Faults) -> Option<Pairs> {
    let extension = name.rsplit('.').next().map(str::to_ascii_lowercase);
    let csv = match extension.as_deref() {
        Some("csv") => true,
        Some("yaml" | "yml") => false,
        _ => {
            faults
                .error(
                    &files::LOOKUP,
                    at,
                    format!("`{name}` is neither a CSV nor a YAML file"),
                )
                .remedy("name it `.csv` or `.yaml`");
            return None;
        }
    };
    let text = match text_of(path, name) {
        Ok(text) => text,
        Err(finding) => {
            faults.add(*finding);
            return None;
        }
    };
    if csv {
        return of_csv(text, name, faults);
    }
    let (root, found) = yaml::parse(&text);
    let file = Arc::new(SourceFile {
        name: name.to_owned(),
        text: yaml::mask(&text, root.as_ref()),
    });
    let broken = !found.is_empty();
    for fault in found {
        let mut finding = Finding::error(fault.code, place(&file, fault.span), fault.message);
        finding.reason = fault.reason;
        finding.remedy = fault.remedy;
        faults.add(finding);
    }
    if broken {
        return None;
    }
    of_yaml(root, file, faults)
}

fn of_yaml(root: Option<Node>, file: Arc<SourceFile>, faults: &mut Faults) -> Option<Pairs> {
    let shape = |span, message: &str| {
        let place = place(&file, span);
        Finding::error(&files::LOOKUP, place, message).remedy("write `\"GB\": United Kingdom`")
    };
    let Some(Content::Map(entries)) = root.map(|root| root.content) else {
        faults.add(shape(
            Span::default(),
            "the file is no map of codes to values",
        ));
        return None;
    };
    let (mut pairs, mut sound) = (Vec::with_capacity(entries.len()), true);
    for entry in entries {
        match entry.value.content {
            Content::Text(value) => pairs.push(Pair {
                code: (entry.key_span, entry.key),
                value: (entry.value.span, value),
            }),
            _ => {
                faults.add(shape(
                    entry.key_span,
                    "no single value stands beside the code",
                ));
                sound = false;
            }
        }
    }
    sound.then_some((file, pairs))
}

fn of_csv(text: String, name: &str, faults: &mut Faults) -> Option<Pairs> {
    let read = csv::records(&text);
    let file = Arc::new(SourceFile {
        name: name.to_owned(),
        text,
    });
    let mut rows = match read {
        Ok(rows) => rows.into_iter(),
        Err((span, message)) => {
            let finding = Finding::error(&files::LOOKUP, place(&file, span), message);
            faults.add(finding.remedy("quote it as RFC 4180 has it: `\"a, \"\"b\"\"\"`"));
            return None;
        }
    };
    let header = rows.next().unwrap_or_default();
    let (code, value) = match (column(&header, "code"), column(&header, "value")) {
        (Some(code), Some(value)) => (code, value),
        (code, _) => {
            let missing = if code.is_none() { "code" } else { "value" };
            let near = header
                .iter()
                .find(|(_, name)| nearest(name, std::iter::once(missing)).is_some());
            let at = near
                .or(header.first())
                .map_or_else(Span::default, |(span, _)| *span);
            let message = format!("the header names no column `{missing}`");
            let finding = Finding::error(&files::LOOKUP, place(&file, at), message)
                .because("the first line names the columns; `code` and `value` are read");
            faults.add(match near {
                Some((_, near)) => {
                    let near = near.clone();
                    finding.remedy(format!("write `{missing}` in place of `{near}`"))
                }
                None => finding.remedy("begin the file with the line `code,value`"),
            });
            return None;
        }
    };
    let (mut pairs, mut sound) = (Vec::new(), true);
    for row in rows {
        if row.len() != header.len() {
            let at = row.first().map_or_else(Span::default, |(span, _)| *span);
            let message = format!(
                "the line has {} columns and the header {}",
                row.len(),
                header.len()
            );
            let finding = Finding::error(&files::LOOKUP, place(&file, at), message);
            faults.add(finding.remedy("give it as many; a value with a comma stands in quotes"));
            sound = false;
            continue;
        }
        pairs.push(Pair {
            code: row[code].clone(),
            value: row[value].clone(),
        });
    }
    sound.then_some((file, pairs))
}

fn column(header: &[(Span, String)], name: &str) -> Option<usize> {
    header.iter().position(|(_, n)| n.trim() == name)
}

/// The entries, each of the field's type, no code twice.
fn entries(
    (file, pairs): Pairs,
    scalar: Scalar,
    faults: &mut Faults,
) -> Option<Vec<(String, Constant)>> {
    if pairs.is_empty() {
        let finding = Finding::error(
            &files::LOOKUP,
            place(&file, Span::default()),
            "the file lists no code",
        );
        faults.add(finding.remedy("write the source's codes and the values that they give"));
        return None;
    }
    let mut seen: HashMap<String, Span> = HashMap::with_capacity(pairs.len());
    let (mut entries, mut sound) = (Vec::with_capacity(pairs.len()), true);
    for Pair { code, value } in pairs {
        if let Some(first) = seen.insert(code.1.clone(), code.0) {
            let line = 1 + file.text[..first.start as usize].matches('\n').count();
            let message = format!("the code stands in line {line} already");
            let finding = Finding::error(&files::LOOKUP, place(&file, code.0), message);
            faults.add(finding.remedy("remove one of the two"));
            sound = false;
        }
        match Constant::of(&value.1, scalar) {
            Some(constant) => entries.push((code.1, constant)),
            None => {
                let message = "the text is no value of the field's type";
                let finding = Finding::error(&files::CONSTANT, place(&file, value.0), message);
                faults.add(finding.remedy(format!("write {}", written(scalar))));
                sound = false;
            }
        }
    }
    sound.then_some(entries)
}

fn place(file: &Arc<SourceFile>, span: Span) -> Place {
    match file.text.is_empty() {
        true => Place::Path(file.name.clone()),
        false => Place::File {
            file: file.clone(),
            span,
        },
    }
}
