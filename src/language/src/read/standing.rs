//! What stands in JSON: in an outbox's payload, in a record that is opened, in an array's elements.

use onramp_expression::JsonPath;
use onramp_finding::codes::files;

use super::product::Surroundings;
use super::source::parse;
use crate::faults::Faults;
use crate::yaml::{Entry, Node};
use crate::{Ambiguous, Moment, Parse, Source, Spanned, TimeFormat, Unit};

/// What a field opens that names no source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opens<'o> {
    /// The column; None: the element, or the record, that the field stands in.
    pub(crate) column: Option<&'o Spanned<String>>,
    /// Where `at` counts from.
    pub(crate) base: &'o str,
    /// Where the field stands under its own name.
    pub(crate) path: &'o str,
}

impl Opens<'_> {
    /// Within a value of its own.
    pub(super) const ITSELF: Opens<'static> = Opens {
        column: None,
        base: "",
        path: "",
    };

    pub(super) fn under(&self, name: &str) -> String {
        join(self.path, name)
    }
}

fn join(path: &str, next: &str) -> String {
    match path {
        "" => next.to_owned(),
        path if next.starts_with('[') => format!("{path}{next}"),
        path => format!("{path}.{next}"),
    }
}

/// Where a record stands that is opened itself.
pub(super) struct Standing {
    column: Option<Spanned<String>>,
    /// Where its fields' `at` counts from, and where it is.
    base: String,
    path: String,
}

impl Standing {
    pub(super) fn opens(&self) -> Opens<'_> {
        Opens {
            column: self.column.as_ref(),
            base: &self.base,
            path: &self.path,
        }
    }

    /// The source of the record as one value.
    pub(super) fn source(&self, key: &Node, faults: &Faults) -> Source {
        let at = JsonPath::parse(&self.path).ok();
        let at = at.map(|at| faults.spanned(key, at));
        match &self.column {
            Some(column) => Source::Column {
                column: column.clone(),
                at,
                parse: None,
            },
            None => Source::Item { at, parse: None },
        }
    }
}

/// Where a record stands in JSON; None of one that is made of its fields.
pub(super) fn record(
    entry: &Entry,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Standing> {
    let node = &entry.value;
    // One that is no path was told while the file was checked.
    let at = node.get("at").and_then(|at| Some((at, at.text()?)));
    if around.opens.is_some_and(|opens| opens.column.is_none()) && of_the_row(node, faults) {
        return None;
    }
    if let Some(from) = node.get("from") {
        let path = at.map_or_else(String::new, |(_, at)| at.to_owned());
        return Some(Standing {
            column: Some(faults.spanned(from, from.text()?.to_owned())),
            base: path.clone(),
            path,
        });
    }
    let Some(opens) = around.opens else {
        if let Some((at, _)) = at {
            faults
                .error(&files::JSON_PATH, at, "`at` stands without `from`")
                .because("it says where in a column's JSON the record stands")
                .remedy("add `from: COLUMN`, or remove it");
        }
        return None;
    };
    let column = opens.column.cloned();
    Some(match at {
        Some((_, at)) => {
            let path = join(opens.base, at);
            Standing {
                column,
                base: path.clone(),
                path,
            }
        }
        // Fields may be put together that stand apart: their paths go on as they are.
        None => Standing {
            column,
            base: opens.base.to_owned(),
            path: opens.under(&entry.key),
        },
    })
}

/// Refuses what reads the row where fields stand in an element.
pub(super) fn of_the_row(node: &Node, faults: &mut Faults) -> bool {
    let Some((key, at)) = ["from", "expr"]
        .iter()
        .find_map(|k| Some((k, node.get(k)?)))
    else {
        return false;
    };
    let name = at.text().unwrap_or("NAME");
    let remedy = match (*key, JsonPath::parse(name)) {
        ("from", Ok(_)) => {
            format!("write `at: {name}` for what stands there, or put the field beside it")
        }
        _ => "write `at: NAME` for what stands there, or put the field beside it".to_owned(),
    };
    faults
        .error(
            &files::FIELD_SOURCE,
            at,
            format!("`{key}` does not belong within items or an optional record"),
        )
        .because("their fields stand in the element or the record itself, not in the row")
        .remedy(remedy);
    true
}

/// A part of what is opened: what stands under the field's own name, or at `at`.
pub(super) fn opened(
    entry: &Entry,
    opens: Opens<'_>,
    word: &str,
    faults: &mut Faults,
) -> Option<Source> {
    let node = &entry.value;
    let key = entry.key_node();
    if has_no_json(word, node.get("at").unwrap_or(&key), faults) {
        return None;
    }
    let at = match node.get("at") {
        Some(at) => {
            let path = join(opens.base, at.text()?);
            faults.spanned(at, JsonPath::parse(&path).ok()?)
        }
        None => {
            let path = opens.under(&entry.key);
            faults.spanned(&key, JsonPath::parse(&path).ok()?)
        }
    };
    let (at, parse) = (Some(at), item_parse(node, word, true, faults));
    Some(match opens.column {
        Some(column) => Source::Column {
            column: column.clone(),
            at,
            parse,
        },
        None => Source::Item { at, parse },
    })
}

/// How dates and times are read; in JSON, where nothing else is said, as ISO 8601 has them.
pub(super) fn item_parse(
    node: &Node,
    word: &str,
    in_json: bool,
    faults: &mut Faults,
) -> Option<Parse> {
    let moment = Moment::of_type(word).filter(|_| in_json && node.get("parse").is_none());
    match moment {
        Some(moment) if node.get("lookup").is_none() => {
            Some(json_moment(moment, Unit::Micros, node, faults))
        }
        _ => parse(node, word, faults),
    }
}

/// Dates and times as ISO 8601 has them.
pub(super) fn json_moment(moment: Moment, unit: Unit, at: &Node, faults: &Faults) -> Parse {
    Parse {
        format: faults.spanned(at, "ISO 8601".to_owned()),
        parts: TimeFormat::iso(moment),
        moment,
        zone: None,
        ambiguous: Ambiguous::Fail,
        unit,
    }
}

/// Refuses the type that JSON has no value for.
pub(super) fn has_no_json(word: &str, at: &Node, faults: &mut Faults) -> bool {
    if word != "bytes" {
        return false;
    }
    faults
        .error(&files::JSON_PATH, at, "no bytes can be opened in JSON")
        .because("JSON has no bytes, and no one way to spell them in a string")
        .remedy("make the field a `string`");
    true
}
