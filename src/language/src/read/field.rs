//! A product's fields, and the rules within each.

use onramp_finding::codes::files;

use super::product::Surroundings;
use super::protect::{protect, protection};
use super::standing::{self, Opens, has_no_json, item_parse};
use super::{lookup, source};
use crate::definition::{avro_name, scalar};
use crate::faults::Faults;
use crate::yaml::{Entry, Node};
use crate::{Field, InAvro, Lookup, Otherwise, Scalar, Shape, Source, Spanned};

/// The fields of an event, of which there is at least one.
pub(super) fn of_event(node: &Node, around: &Surroundings<'_>, faults: &mut Faults) -> Vec<Field> {
    if node.entries().is_empty() {
        faults
            .error(&files::MISSING_KEY, node, "`fields` is empty")
            .remedy("name at least one field");
    }
    fields(node, around, faults)
}

/// The fields of a map, without those that could not be read.
pub(crate) fn fields(node: &Node, around: &Surroundings<'_>, faults: &mut Faults) -> Vec<Field> {
    let entries = node.entries();
    for (n, entry) in entries.iter().enumerate() {
        let twin = entries[..n]
            .iter()
            .find(|e| e.key.eq_ignore_ascii_case(&entry.key));
        if let Some(twin) = twin {
            faults
                .error(
                    &files::DUPLICATE_NAME,
                    &entry.key_node(),
                    format!(
                        "the fields `{}` and `{}` differ in case alone",
                        twin.key, entry.key
                    ),
                )
                .because("many of the languages that read them cannot tell them apart")
                .remedy("rename one of the two");
        }
    }
    entries
        .iter()
        .filter_map(|entry| field(entry, around, faults))
        .collect()
}

fn field(entry: &Entry, around: &Surroundings<'_>, faults: &mut Faults) -> Option<Field> {
    let node = &entry.value;
    let optional = node.text_at(&["optional"]) == Some("true");
    let classification = node.text_at(&["classification"]).map(str::to_owned);
    let protect = protect(node, faults);
    let shape = shape(entry, optional, around, faults);
    if classification.as_deref() == Some("personal") && node.get("protect").is_none() {
        let at = node.get("classification").unwrap_or(node);
        faults
            .error(
                &files::UNPROTECTED,
                at,
                format!("`{}` is personal and nothing protects it", entry.key),
            )
            .remedy("add `protect: { drop: true }`, `{ mask: { keep: 4 } }`, `{ hmac: KEY }`, `{ encrypt: KEY }` or `{ none: \"reason\" }`");
    }
    if let (Some(protect), Some(shape)) = (&protect, &shape) {
        protection(&entry.key, protect, shape, around, faults);
    }
    Some(Field {
        name: faults.spanned(&entry.key_node(), entry.key.clone()),
        doc: node.text_at(&["doc"]).map(str::to_owned),
        optional,
        in_avro: InAvro::default(),
        classification,
        protect,
        shape: shape?,
    })
}

fn shape(
    entry: &Entry,
    optional: bool,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Shape> {
    let node = &entry.value;
    let type_node = node.get("type")?;
    let word = type_node.text()?;
    match word {
        "record" => record(entry, optional, around, faults),
        "array" => {
            let source = source::source(entry, word, around, faults);
            // Where the array's own place is said, its column may be an array of dates.
            let in_json = node.get("from").is_none();
            let path = format!("fields.{}", entry.key);
            let items = items(entry, node, &path, in_json, around, faults)?;
            Some(Shape::Array {
                items: Box::new(items),
                source: source?,
            })
        }
        "enum" => {
            let source = source::source(entry, word, around, faults);
            let (values, default, otherwise) = enumeration(node, optional, faults)?;
            Some(Shape::Enum {
                values,
                default,
                otherwise,
                source: source?,
            })
        }
        _ => {
            let source = source::source(entry, word, around, faults);
            let scalar = scalar(word)?;
            let lookup = lookup(node, scalar, optional, source.as_ref(), around, faults);
            Some(Shape::Scalar {
                r#type: faults.spanned(type_node, scalar),
                source: source?,
                lookup,
            })
        }
    }
}

/// A record: made of its fields, or standing in JSON.
fn record(
    entry: &Entry,
    optional: bool,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Shape> {
    let node = &entry.value;
    let stands = standing::record(entry, around, faults);
    if optional && stands.is_none() && node.get("from").is_none() && node.get("at").is_none() {
        let at = node.get("optional").unwrap_or(node);
        faults
            .error(
                &files::FIELD_SOURCE,
                at,
                format!("`{}` may be null, and stands nowhere itself", entry.key),
            )
            .because("a record is made of its fields, each with a source of its own")
            .remedy("make its fields optional, or open it in JSON: `from: COLUMN`");
    }
    let whole = stands.as_ref().filter(|_| optional);
    let source = whole.map(|stands| stands.source(&entry.key_node(), faults));
    let opens = match (&stands, optional) {
        (Some(_), true) => Some(Opens::ITSELF),
        (Some(stands), false) => Some(stands.opens()),
        (None, _) => around.opens,
    };
    let around = Surroundings { opens, ..*around };
    Some(Shape::Record {
        fields: inside(node, &around, faults)?,
        source,
    })
}

/// A record's fields.
fn inside(node: &Node, around: &Surroundings<'_>, faults: &mut Faults) -> Option<Vec<Field>> {
    let inside = node.get("fields")?;
    if matches!(&inside.content, crate::yaml::Content::Map(entries) if entries.is_empty()) {
        faults
            .error(&files::MISSING_KEY, inside, "`fields` is empty")
            .remedy("name at least one field");
    }
    Some(fields(inside, around, faults))
}

/// What each element of an array is, as a field of the array's name.
fn items(
    entry: &Entry,
    array: &Node,
    path: &str,
    in_json: bool,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Field> {
    let Some(node) = array.get("items") else {
        // Another kind of array, of which it was told that it is not built.
        if array.get("each").is_none() && !crate::check::misspelt(array, "items") {
            let example = Some("{ type: string }");
            crate::check::missing_at(array, "items", example, "", path, faults);
        }
        return None;
    };
    let optional = node.text_at(&["optional"]) == Some("true");
    let shape = item(entry, node, path, (in_json, optional), around, faults)?;
    Some(Field {
        name: faults.spanned(&entry.key_node(), entry.key.clone()),
        doc: None,
        optional,
        in_avro: InAvro::default(),
        classification: None,
        protect: None,
        shape,
    })
}

/// What an element is.
fn item(
    entry: &Entry,
    node: &Node,
    path: &str,
    (in_json, optional): (bool, bool),
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Shape> {
    let type_node = node.get("type")?;
    let word = type_node.text()?;
    let source = |parse| Source::Item { at: None, parse };
    Some(match word {
        "record" => {
            let opens = Some(Opens::ITSELF);
            let around = Surroundings { opens, ..*around };
            Shape::Record {
                fields: inside(node, &around, faults)?,
                source: Some(source(None)),
            }
        }
        "array" => {
            let path = format!("{path}.items");
            Shape::Array {
                // One that has no `items` was told when the file was checked.
                items: Box::new(match node.get("items") {
                    Some(_) => items(entry, node, &path, true, around, faults)?,
                    None => return None,
                }),
                source: source(None),
            }
        }
        "enum" => {
            let (values, default, otherwise) = enumeration(node, optional, faults)?;
            Shape::Enum {
                values,
                default,
                otherwise,
                source: source(None),
            }
        }
        _ => {
            let scalar = scalar(word)?;
            if in_json && has_no_json(word, type_node, faults) {
                return None;
            }
            let source = source(item_parse(node, word, in_json, faults));
            Shape::Scalar {
                r#type: faults.spanned(type_node, scalar),
                lookup: lookup(node, scalar, optional, Some(&source), around, faults),
                source,
            }
        }
    })
}

/// The lookup of a field or an element, which takes codes as they are.
fn lookup(
    node: &Node,
    scalar: Scalar,
    optional: bool,
    source: Option<&Source>,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Lookup> {
    let at = node.get("lookup")?;
    let beside = match source {
        Some(Source::Constant(_)) => "value",
        Some(Source::Column { parse: Some(_), .. } | Source::Item { parse: Some(_), .. }) => {
            "parse"
        }
        _ => return lookup::lookup(node, scalar, optional, around, faults),
    };
    faults
        .error(
            &files::LOOKUP,
            at,
            format!("`lookup` stands beside `{beside}`"),
        )
        .because("a lookup says by itself which value a code gives")
        .remedy("keep one of the two");
    None
}

type Enumeration = (
    Vec<(Spanned<String>, Spanned<String>)>,
    Option<Spanned<String>>,
    Otherwise,
);

fn enumeration(node: &Node, optional: bool, faults: &mut Faults) -> Option<Enumeration> {
    let values_node = node.get("values")?;
    let values: Vec<_> = values_node
        .entries()
        .iter()
        .filter_map(|e| {
            let symbol = e.value.text()?;
            let code = faults.spanned(&e.key_node(), e.key.clone());
            Some((code, faults.spanned(&e.value, symbol.to_owned())))
        })
        .collect();
    if values.is_empty() && values_node.entries().is_empty() {
        faults
            .error(&files::ENUM_SYMBOL, values_node, "`values` lists no code")
            .remedy("write the source's codes and the symbols they give, e.g. `{ \"N\": NEW }`");
    }
    // `default` is a symbol of the schema; where no code gives it, it is one more.
    let default = node
        .get("default")
        .and_then(|n| Some(faults.spanned(n, n.text()?.to_owned())));
    let said = node.get("otherwise");
    let otherwise = match said.map(|n| (n, n.text(), n.get("value"))) {
        Some((at, Some("null"), _)) => {
            if !optional {
                faults
                    .error(
                        &files::ENUM_SYMBOL,
                        at,
                        "`otherwise: null` stands beside a field that is not optional",
                    )
                    .because("the field's schema has no null")
                    .remedy(
                        "add `optional: true`, or give a symbol: `otherwise: { value: UNKNOWN }`",
                    );
            }
            Otherwise::Null
        }
        Some((_, None, Some(at))) => {
            let symbol = at.text()?;
            let mut known = values.iter().map(|(_, s)| s).chain(&default);
            if avro_name(symbol) && !known.any(|s| s.value == symbol) {
                faults
                    .error(
                        &files::ENUM_SYMBOL,
                        at,
                        format!("`{symbol}` is not one of the enum's symbols"),
                    )
                    .because("readers of the schema would not know it")
                    .remedy(format!(
                        "use a symbol of `values`, or add `default: {symbol}`"
                    ));
            }
            Otherwise::Value(faults.spanned(at, symbol.to_owned()))
        }
        _ => Otherwise::Fail,
    };
    Some((values, default, otherwise))
}
