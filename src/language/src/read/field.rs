//! A product's fields, and the rules within each.

use onramp_finding::codes::files;

use super::product::Surroundings;
use super::{lookup, source};
use crate::definition::{avro_name, scalar};
use crate::faults::Faults;
use crate::yaml::{Entry, Node};
use crate::{Field, Lookup, Otherwise, Protect, Scalar, Shape, Source, Spanned};
use onramp_finding::nearest;

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
        classification,
        protect,
        shape: shape?,
    })
}

fn protect(node: &Node, faults: &Faults) -> Option<Spanned<Protect>> {
    let [entry] = node.get("protect")?.entries() else {
        return None;
    };
    let text = || Some(entry.value.text()?.to_owned());
    let protect = match entry.key.as_str() {
        "drop" => Protect::Drop,
        "mask" => Protect::Mask {
            keep: entry.value.text_at(&["keep"])?.parse().ok()?,
        },
        "hmac" => Protect::Hmac(text()?),
        "encrypt" => Protect::Encrypt(text()?),
        "none" => Protect::None(text()?),
        _ => return None,
    };
    Some(faults.spanned(&entry.value, protect))
}

fn protection(
    name: &str,
    protect: &Spanned<Protect>,
    shape: &Shape,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) {
    let node = Node {
        span: protect.span,
        content: crate::yaml::Content::Empty,
        setting: None,
    };
    if let Some(key) = protect.key()
        && !around.keys.iter().any(|k| k == key)
    {
        let remedy = match nearest(key, around.keys.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "declare it in the gateway file: `keys: {{ {key}: {{ file: /run/secrets/{key} }} }}`"
            ),
        };
        faults
            .error(
                &files::PROTECTION,
                &node,
                format!("the gateway declares no key `{key}`"),
            )
            .remedy(remedy);
    }
    if let Some((message, reason, remedy)) = misfit(name, protect, shape) {
        faults
            .error(&files::PROTECTION, &node, message)
            .because(reason)
            .remedy(remedy);
    }
}

/// Why a value of this shape cannot be protected so: what, reason, remedy.
fn misfit(
    name: &str,
    protect: &Protect,
    shape: &Shape,
) -> Option<(String, &'static str, &'static str)> {
    let scalar = match shape {
        Shape::Scalar { r#type, .. } => Some(r#type.value),
        _ => None,
    };
    let record = matches!(shape, Shape::Record { .. });
    let array = matches!(shape, Shape::Array { .. });
    match protect {
        Protect::Hmac(_) | Protect::Encrypt(_) | Protect::Mask { .. } if array => Some((
            format!("`{name}` is an array, and has no text of its own"),
            "a text takes the value's place",
            "`drop` it: elements are not protected one by one",
        )),
        Protect::Hmac(_)
            if !matches!(scalar, Some(Scalar::String | Scalar::Uuid | Scalar::Json)) =>
        {
            Some((
                format!("`{name}` is not a text, so an HMAC cannot take its place"),
                "an HMAC is published as a text",
                "protect it with `drop` or `encrypt`, or make it a `string` with an `expr`",
            ))
        }
        Protect::Encrypt(_) | Protect::Mask { .. } if record => Some((
            format!("`{name}` is a record, and has no text of its own"),
            "a text takes the value's place",
            "protect its fields, each for itself, or `drop` it",
        )),
        Protect::Mask { .. } if scalar.is_none_or(|s| s == Scalar::Boolean) => Some((
            format!("`{name}` has a few values alone, which their ends tell apart"),
            "a mask hides what stands before the end",
            "protect it with `drop` or `encrypt`",
        )),
        _ => None,
    }
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
        "record" => {
            let inside = node.get("fields")?;
            if matches!(&inside.content, crate::yaml::Content::Map(entries) if entries.is_empty()) {
                faults
                    .error(&files::MISSING_KEY, inside, "`fields` is empty")
                    .remedy("name at least one field");
            }
            let path = around.opens.map(|opens| opens.under(&entry.key));
            let opens = around.opens.zip(path.as_deref());
            let around = Surroundings {
                opens: opens.map(|(opens, path)| source::Opens { path, ..opens }),
                ..*around
            };
            Some(Shape::Record {
                fields: fields(inside, &around, faults),
            })
        }
        "array" => {
            let source = source::source(entry, word, around, faults);
            let items = items(entry, around, faults)?;
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

/// What each element of an array is, as a field of the array's name.
fn items(entry: &Entry, around: &Surroundings<'_>, faults: &mut Faults) -> Option<Field> {
    let Some(node) = entry.value.get("items") else {
        let around = &entry.value;
        // Another kind of array, of which it was told that it is not built.
        if around.get("each").is_none() && !crate::check::misspelt(around, "items") {
            let (example, path) = (Some("{ type: string }"), format!("fields.{}", entry.key));
            crate::check::missing_at(around, "items", example, "", &path, faults);
        }
        return None;
    };
    let type_node = node.get("type")?;
    let word = type_node.text()?;
    let optional = node.text_at(&["optional"]) == Some("true");
    let parse = source::parse(node, word, faults);
    let source = Source::Item { parse };
    let shape = match word {
        "enum" => {
            let (values, default, otherwise) = enumeration(node, optional, faults)?;
            Shape::Enum {
                values,
                default,
                otherwise,
                source,
            }
        }
        _ => {
            let scalar = scalar(word)?;
            Shape::Scalar {
                r#type: faults.spanned(type_node, scalar),
                lookup: lookup(node, scalar, optional, Some(&source), around, faults),
                source,
            }
        }
    };
    Some(Field {
        name: faults.spanned(&entry.key_node(), entry.key.clone()),
        doc: None,
        optional,
        classification: None,
        protect: None,
        shape,
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
        Some(Source::Column { parse: Some(_), .. } | Source::Item { parse: Some(_) }) => "parse",
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
