//! An array's text, as `array_out` writes it, as a list of values in a plain row.
//!
//! Elements are decoded when the row is put together; a text that holds no such list, or an element
//! that has no value, leaves a mark in its place, which says why once the list is asked for.

use std::borrow::Cow;

use onramp_connector::{Cell, Undecodable, Value, ValueType, plain};

use crate::decode::of_text;

/// Marks: no list begins with one of them.
const REASONS: [(u8, Undecodable); 5] = [
    (251, Undecodable::NotAList),
    (252, Undecodable::NotFinite),
    (253, Undecodable::TooWide),
    (254, Undecodable::Encoding),
    (255, Undecodable::Malformed),
];

/// Appends the array of this text to a row.
pub(super) fn push(row: &mut Vec<u8>, of: &ValueType, text: &str) {
    let read = elements(text).and_then(|texts| {
        // Bytes are decoded of the bytes that their text stands for.
        let texts: Vec<Option<Cow<'_, [u8]>>> = texts
            .into_iter()
            .map(|text| text.map(|text| bytes(of, text)))
            .collect();
        let decoder = of_text::decoder(of);
        let values: Result<Vec<Option<Value<'_>>>, Undecodable> = texts
            .iter()
            .map(|text| text.as_deref().map(decoder).transpose())
            .collect();
        values.map(|values| plain::push_list(row, of, &values))
    });
    if let Err(why) = read {
        let mark = REASONS.iter().find(|(_, known)| *known == why);
        let mark = mark.map_or(255, |(mark, _)| *mark);
        plain::push_cell(row, Cell::Raw(&[mark]));
    }
}

/// Decodes what [`push`] wrote.
pub(super) fn list(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    if let [mark] = bytes {
        let known = REASONS.iter().find(|(known, _)| known == mark);
        return Err(known.map_or(Undecodable::Malformed, |(_, why)| *why));
    }
    plain::list(bytes)
}

fn bytes<'t>(of: &ValueType, text: Cow<'t, str>) -> Cow<'t, [u8]> {
    match (of, text) {
        (ValueType::Bytes, text) => Cow::Owned(of_text::bytes(&text)),
        (_, Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
        (_, Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
    }
}

/// The elements' texts, None for null, of an array of one dimension that begins at 1.
fn elements(text: &str) -> Result<Vec<Option<Cow<'_, str>>>, Undecodable> {
    // Other bounds are written before the elements.
    if text.starts_with('[') {
        return Err(Undecodable::NotAList);
    }
    let inside = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    let mut rest = inside.ok_or(Undecodable::Malformed)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let element;
        (element, rest) = match rest.as_bytes()[0] {
            b'{' => return Err(Undecodable::NotAList),
            b'"' => quoted(&rest[1..]).ok_or(Undecodable::Malformed)?,
            _ => {
                let end = rest.find(',').unwrap_or(rest.len());
                (plain_element(&rest[..end]), &rest[end..])
            }
        };
        found.push(element);
        rest = match rest.strip_prefix(',') {
            Some("") => return Err(Undecodable::Malformed),
            Some(more) => more,
            None if rest.is_empty() => rest,
            None => return Err(Undecodable::Malformed),
        };
    }
    Ok(found)
}

fn plain_element(text: &str) -> Option<Cow<'_, str>> {
    (text != "NULL").then_some(Cow::Borrowed(text))
}

/// What stands up to the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(Option<Cow<'_, str>>, &str)> {
    let mut out = String::new();
    let mut signs = text.char_indices();
    loop {
        match signs.next()? {
            (at, '"') => return Some((Some(Cow::Owned(out)), &text[at + 1..])),
            (_, '\\') => out.push(signs.next()?.1),
            (_, sign) => out.push(sign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(of: &ValueType, text: &str) -> Result<Vec<String>, Undecodable> {
        let mut row = Vec::new();
        push(&mut row, of, text);
        // A cell's head is five bytes.
        let Value::Array(elements) = list(&row[5..])? else {
            panic!("no list");
        };
        elements
            .iter()
            .map(|e| e.map(|e| format!("{e:?}")))
            .collect()
    }

    #[test]
    fn texts_of_arrays_are_lists() {
        let of = ValueType::Text;
        assert_eq!(read(&of, "{}"), Ok(vec![]));
        let wanted = [
            r#"Text("a")"#,
            r#"Text("b \"c\\,")"#,
            "Null",
            r#"Text("NULL")"#,
        ];
        let text = r#"{a,"b \"c\\,",NULL,"NULL"}"#;
        assert_eq!(read(&of, text).unwrap(), wanted);
        let numbers = read(&ValueType::Int(32), "{1,-2}").unwrap();
        assert_eq!(numbers, ["Int(1)", "Int(-2)"]);
        let bytes = read(&ValueType::Bytes, r#"{"\\x0aff"}"#).unwrap();
        assert_eq!(bytes, ["Bytes([10, 255])"]);
    }

    #[test]
    fn what_is_no_list_says_why() {
        let of = ValueType::Double;
        for (text, why) in [
            ("{{1},{2}}", Undecodable::NotAList),
            ("[0:1]={1,2}", Undecodable::NotAList),
            ("1", Undecodable::Malformed),
            ("{1,}", Undecodable::Malformed),
            ("{\"1}", Undecodable::Malformed),
            ("{\"1\"2}", Undecodable::Malformed),
            ("{x}", Undecodable::Malformed),
        ] {
            assert_eq!(read(&of, text), Err(why), "{text}");
        }
        let of = ValueType::Decimal(None);
        assert_eq!(read(&of, "{NaN}"), Err(Undecodable::NotFinite));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[{}\",\\\\aN0ü]{0,12}") {
            let _ = read(&ValueType::Text, &text);
        }
    }
}
