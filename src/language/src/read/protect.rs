//! How a field's value is protected, and whether it can be.

use onramp_finding::codes::files;
use onramp_finding::nearest;

use super::product::Surroundings;
use crate::faults::Faults;
use crate::yaml::Node;
use crate::{Protect, Scalar, Shape, Spanned};

pub(super) fn protect(node: &Node, faults: &Faults) -> Option<Spanned<Protect>> {
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

/// Says what is wrong with a field's protection.
pub(super) fn protection(
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

/// Why a value of this shape cannot be protected so: what, reason, remedy. Of an array each element
/// is protected.
fn misfit(
    name: &str,
    protect: &Protect,
    shape: &Shape,
) -> Option<(String, &'static str, &'static str)> {
    let (shape, it) = match shape {
        Shape::Array { items, .. } => (&items.innermost().shape, format!("an element of `{name}`")),
        shape => (shape, format!("`{name}`")),
    };
    let scalar = match shape {
        Shape::Scalar { r#type, .. } => Some(r#type.value),
        _ => None,
    };
    let has_parts = matches!(shape, Shape::Record { .. } | Shape::Map { .. });
    match protect {
        Protect::Hmac(_) | Protect::Encrypt(_) | Protect::Mask { .. } if has_parts => Some((
            format!("{it} is a record, and has no text of its own"),
            "a text takes the value's place",
            "protect its fields, each for itself, or `drop` it",
        )),
        Protect::Hmac(_)
            if !matches!(scalar, Some(Scalar::String | Scalar::Uuid | Scalar::Json)) =>
        {
            Some((
                format!("{it} is not a text, so an HMAC cannot take its place"),
                "an HMAC is published as a text",
                "protect it with `drop` or `encrypt`, or make it a `string` with an `expr`",
            ))
        }
        Protect::Mask { .. } if scalar.is_none_or(|s| s == Scalar::Boolean) => Some((
            format!("{it} has a few values alone, which their ends tell apart"),
            "a mask hides what stands before the end",
            "protect it with `drop` or `encrypt`",
        )),
        _ => None,
    }
}
