//! A product's fields as a flat list, and what of them is kept back.

use onramp_finding::Place;
use onramp_language::{Field, Product, Protect, Shape};

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
            is_protected: !matches!(protect, None | Some(Protect::None(_) | Protect::Drop)),
            place: field.name.place(),
        });
    }
}
