//! Where two schemas differ, field by field, for people to read. What is allowed is the registry's
//! crate's to say.

use serde::Serialize;
use serde_json::Value;

/// A field that is another, or there in one of them alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// `address.city`; empty for the record itself.
    pub(super) field: String,
    /// Its type in the registry's latest version; None where it is new.
    pub(super) before: Option<String>,
    /// Its type now; None where it is gone.
    pub(super) after: Option<String>,
}

/// What changes from one schema to the other.
pub(super) fn differences(before: &str, after: &str) -> Vec<Difference> {
    let read = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let (before, after) = (flat(&read(before)), flat(&read(after)));
    let of = |fields: &[(String, String)], path: &str| {
        let found = fields.iter().find(|(p, _)| p == path);
        found.map(|(_, is)| is.clone())
    };
    let gone = before.iter().filter(|(p, _)| of(&after, p).is_none());
    after
        .iter()
        .chain(gone)
        .map(|(path, _)| Difference {
            field: path.clone(),
            before: of(&before, path),
            after: of(&after, path),
        })
        .filter(|d| d.before != d.after)
        .collect()
}

/// Every field's path and type; the record's own documentation stands under the empty path.
fn flat(schema: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if let Some(doc) = schema["doc"].as_str() {
        out.push((String::new(), format!("doc {doc:?}")));
    }
    fields(schema, "", &mut out);
    out
}

fn fields(record: &Value, parent: &str, out: &mut Vec<(String, String)>) {
    for field in record["fields"].as_array().into_iter().flatten() {
        let name = field["name"].as_str().unwrap_or_default();
        let path = match parent {
            "" => name.to_owned(),
            parent => format!("{parent}.{name}"),
        };
        let (inner, optional) = match field["type"].as_array() {
            None => (&field["type"], false),
            Some(union) => {
                let solid = union.iter().find(|t| *t != "null");
                (
                    solid.unwrap_or(&Value::Null),
                    union.iter().any(|t| t == "null"),
                )
            }
        };
        let mut is = described(inner);
        if optional {
            is.push_str(", optional");
        }
        for word in ["classification", "doc"] {
            if let Some(text) = field[word].as_str() {
                is.push_str(&format!(", {word} {text:?}"));
            }
        }
        out.push((path.clone(), is));
        fields(inner, &path, out);
    }
}

fn described(schema: &Value) -> String {
    let word = |v: &Value| v.as_str().unwrap_or("?").to_owned();
    match (&schema["logicalType"], &schema["type"]) {
        (Value::String(logical), _) if logical == "decimal" => {
            let scale = schema["scale"].as_u64().unwrap_or(0);
            format!("decimal({},{scale})", schema["precision"])
        }
        (Value::String(logical), _) => logical.clone(),
        (_, Value::String(kind)) if kind == "enum" => {
            let symbols = schema["symbols"].as_array().into_iter().flatten();
            let symbols: Vec<String> = symbols.map(word).collect();
            let default = schema["default"].as_str();
            let default = default.map_or_else(String::new, |d| format!(", else {d}"));
            format!("enum {}{default}", symbols.join(" "))
        }
        (_, Value::String(kind)) => match schema["contentType"].as_str() {
            Some(content) => content.to_owned(),
            None => kind.clone(),
        },
        _ => word(schema),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_that_differs_is_told_once() {
        let before = r#"{"type":"record","name":"O","doc":"Orders.","fields":[
            {"name":"id","type":"long"},
            {"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
            {"name":"gone","type":["null","string"],"default":null},
            {"name":"state","type":{"type":"enum","name":"S","symbols":["NEW"],"default":"NEW"}},
            {"name":"adr","type":{"type":"record","name":"A","fields":[{"name":"city","type":"string"}]}}]}"#;
        let after = r#"{"type":"record","name":"O","doc":"Orders.","fields":[
            {"name":"id","type":"long"},
            {"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
            {"name":"state","type":{"type":"enum","name":"S","symbols":["NEW","PAID"],"default":"NEW"}},
            {"name":"adr","type":{"type":"record","name":"A","fields":[
                {"name":"city","doc":"Where.","type":["null","string"],"default":null}]}},
            {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}}]}"#;
        let told: Vec<String> = differences(before, after)
            .into_iter()
            .map(|d| format!("{}: {:?} {:?}", d.field, d.before, d.after))
            .collect();
        assert_eq!(
            told,
            [
                "total: Some(\"decimal(10,2)\") Some(\"decimal(12,2)\")",
                "state: Some(\"enum NEW, else NEW\") Some(\"enum NEW PAID, else NEW\")",
                "adr.city: Some(\"string\") Some(\"string, optional, doc \\\"Where.\\\"\")",
                "at: None Some(\"timestamp-micros\")",
                "gone: Some(\"string, optional\") None",
            ]
        );
        assert!(differences(before, before).is_empty());
    }
}
