//! A product's fields as a flat list, and what of them is kept back.

use onramp_finding::Place;
use onramp_language::{Field, Product, Protect, Shape};
use serde_json::Value;

/// A field that holds one value.
#[derive(Debug, Clone)]
pub(super) struct FieldInfo {
    /// `address.city`.
    pub(super) path: String,
    /// Its type, as the files have it.
    pub(super) type_word: String,
    /// Its own classification, or that of the record around it.
    pub(super) classification: Option<String>,
    /// Whether consumers get another value in its place.
    pub(super) is_protected: bool,
    /// Where the file tells of it.
    pub(super) place: Place,
    /// What stands within it, where it has parts in JSON.
    pub(super) within: Vec<Within>,
}

/// A field of a value that has parts: of an array's elements, of a record that may be null.
#[derive(Debug, Clone)]
pub(super) struct Within {
    /// `lines[].sku`.
    pub(super) path: String,
    pub(super) place: Place,
    /// Its classification, where what consumers would see is kept back.
    pub(super) kept_back: Option<String>,
}

impl FieldInfo {
    /// Whether the source's own values are kept back.
    pub(super) fn is_kept_back(&self) -> bool {
        self.classification.is_some() || self.is_protected
    }

    /// Whether what consumers would see is kept back, too: a classified value that nothing protects.
    pub(super) fn is_kept_back_of_events(&self) -> bool {
        self.classification.is_some() && !self.is_protected
    }
}

/// The fields of the contract, in its order.
pub(super) fn flat(product: &Product) -> Vec<FieldInfo> {
    let mut out = Vec::new();
    for record in product.records() {
        walk(record.fields, "", None, &mut out);
    }
    out
}

fn walk(fields: &[Field], parent: &str, classification: Option<&String>, out: &mut Vec<FieldInfo>) {
    for field in fields {
        let protect = field.protect.as_deref();
        if matches!(protect, Some(Protect::Drop)) {
            continue;
        }
        let path = match parent {
            "" => field.name.value.clone(),
            parent => format!("{parent}.{}", field.name.value),
        };
        let classification = field.classification.as_ref().or(classification);
        let type_word = match &field.shape {
            Shape::Record {
                fields,
                source: None,
            } => {
                walk(fields, &path, classification, out);
                continue;
            }
            Shape::Enum { .. } => "enum".to_owned(),
            Shape::Scalar { r#type, .. } => r#type.value.word(),
            Shape::Array { .. } => "array".to_owned(),
            Shape::Record { .. } => "record".to_owned(),
            Shape::Map { .. } => "map".to_owned(),
        };
        out.push(FieldInfo {
            path,
            type_word,
            classification: classification.cloned(),
            is_protected: is_protected(field),
            place: field.name.place(),
            within: within(field, parent),
        });
    }
}

fn is_protected(field: &Field) -> bool {
    let protect = field.protect.as_deref();
    !matches!(protect, None | Some(Protect::None(_) | Protect::Drop))
}

fn within(field: &Field, parent: &str) -> Vec<Within> {
    let all = field.with_all_within().into_iter().skip(1);
    all.map(|(path, field)| Within {
        path: match parent {
            "" => path,
            parent => format!("{parent}.{path}"),
        },
        place: field.name.place(),
        kept_back: field
            .classification
            .clone()
            .filter(|_| !is_protected(field)),
    })
    .collect()
}

/// Puts a word in place of what stands at a path, in each element where it leads through several.
pub(super) fn keep_back(value: &mut Value, path: &str, classification: &str) {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let name = step.trim_end_matches("[]");
    let mut found: Vec<&mut Value> = value.get_mut(name).into_iter().collect();
    for _ in 0..(step.len() - name.len()) / "[]".len() {
        found = found.into_iter().flat_map(each).collect();
    }
    for value in found.into_iter().filter(|v| !v.is_null()) {
        match rest {
            "" => *value = Value::String(format!("({classification}, kept back)")),
            rest => keep_back(value, rest, classification),
        }
    }
}

/// The elements of an array, the members of a map.
fn each(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.iter_mut().map(|(_, v)| v).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::keep_back;

    #[test]
    fn what_is_kept_back_is_so_in_every_element() {
        let mut event = json!({"a": {"b": "x"}, "lines": [{"who": {"name": "x"}, "n": 1}, null,
            {"who": null}], "grid": [[{"c": "x"}]], "map": {"k": {"c": "x"}}, "n": null});
        for path in [
            "a.b",
            "lines[].who.name",
            "grid[][].c",
            "map[].c",
            "n",
            "none.x",
        ] {
            keep_back(&mut event, path, "personal");
        }
        let kept = "(personal, kept back)";
        let wanted = json!({"a": {"b": kept}, "lines": [{"who": {"name": kept}, "n": 1}, null,
            {"who": null}], "grid": [[{"c": kept}]], "map": {"k": {"c": kept}}, "n": null});
        assert_eq!(event, wanted);
    }
}
