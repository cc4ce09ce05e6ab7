//! The editors' JSON Schema, draft 2020-12.

use serde_json::{Map, Value as Json, json};

use crate::definition::{
    Case, Cases, FIELD, FIXTURES, Form, GATEWAY, ITEMS, Key, PRODUCT, Value, Word,
};

/// docs/onramp.schema.json.
pub fn schema() -> String {
    let root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Onramp's files",
        "type": "object",
        "if": { "required": ["gateway"] },
        "then": { "$ref": "#/$defs/gateway" },
        "else": {
            "if": { "required": ["fixtures"] },
            "then": { "$ref": "#/$defs/fixtures" },
            "else": { "$ref": "#/$defs/product" },
        },
        "$defs": {
            "gateway": map(&GATEWAY.iter().collect::<Vec<_>>()),
            "product": cases(&PRODUCT, Sources::OfTheRow),
            "fixtures": map(&FIXTURES.iter().collect::<Vec<_>>()),
            "fields": named(Form::FieldName, json!({ "$ref": "#/$defs/field" })),
            "field": cases(&FIELD, Sources::OfTheRow),
            "opened": named(Form::FieldName, json!({ "$ref": "#/$defs/opened_field" })),
            "opened_field": cases(&FIELD, Sources::OrInJson),
            "items": cases(&ITEMS, Sources::OrInJson),
            "secret": {
                "type": "object",
                "description": "Where a secret is; never the secret itself.",
                "oneOf": [
                    { "required": ["env"], "properties": { "env": { "type": "string" } }, "additionalProperties": false },
                    { "required": ["file"], "properties": { "file": { "type": "string" } }, "additionalProperties": false },
                ],
            },
        },
    });
    let mut text = serde_json::to_string_pretty(&root).unwrap_or_default();
    text.push('\n');
    text
}

fn map(keys: &[&Key]) -> Json {
    let mut properties = Map::new();
    for key in keys {
        properties.insert(key.name.to_owned(), property(key));
    }
    let required: Vec<&str> = keys.iter().filter(|k| k.required).map(|k| k.name).collect();
    let mut out =
        json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

fn property(key: &Key) -> Json {
    if !key.built {
        // Known and refused: an editor shows why.
        return json!({ "not": {}, "description": format!("Not built yet. {}", key.doc) });
    }
    let mut out = value(key.value);
    // Beside a reference a description stands, too; but it would hide the target's own.
    out["description"] = json!(key.doc);
    if let Some(default) = key.default {
        out["default"] = scalar(key.value, default);
    }
    if let Some(example) = key.example {
        out["examples"] = json!([scalar(key.value, example.trim_matches('"'))]);
    }
    out
}

fn scalar(value: Value, text: &str) -> Json {
    match value {
        Value::Text(Form::Boolean) => json!(text == "true"),
        Value::Text(Form::Integer(..)) => text.parse::<i64>().map_or(json!(text), |n| json!(n)),
        _ => json!(text),
    }
}

fn value(value: Value) -> Json {
    match value {
        Value::Text(form) => text(form),
        Value::Words(all) => words(all),
        Value::List(item) => json!({ "type": "array", "items": self::value(*item) }),
        Value::Map(keys) => map(&keys.iter().collect::<Vec<_>>()),
        Value::One(keys) => one(keys),
        Value::WordOrOne(all, keys) => json!({ "anyOf": [words(all), one(keys)] }),
        Value::Named(form, inside) => named(form, self::value(*inside)),
        Value::Secret => json!({ "$ref": "#/$defs/secret" }),
        Value::Fields => json!({ "$ref": "#/$defs/fields" }),
        Value::Opened => json!({ "$ref": "#/$defs/opened" }),
        Value::Items => json!({ "$ref": "#/$defs/items" }),
        Value::Row => {
            json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null", "array"] } })
        }
        Value::Tree => json!({ "type": "object" }),
        Value::Later => json!({ "not": {} }),
    }
}

fn text(form: Form) -> Json {
    match form {
        Form::Boolean => json!({ "type": "boolean" }),
        Form::Integer(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        // A text is taken as it stands, so a number or a date without quotes is one, too.
        Form::Text | Form::Constant => json!({ "type": ["string", "number", "boolean"] }),
        _ => match form.pattern() {
            Some(pattern) => json!({ "type": "string", "pattern": format!("^({pattern})$") }),
            None => json!({ "type": "string", "minLength": 1 }),
        },
    }
}

/// Words as YAML reads them: `true` and `null` are no strings there.
fn words(all: &[Word]) -> Json {
    let options: Vec<Json> = all
        .iter()
        .filter(|w| w.built)
        .map(|w| {
            let constant = match w.word {
                "true" => json!(true),
                "null" => Json::Null,
                word => json!(word),
            };
            json!({ "const": constant, "description": w.doc })
        })
        .collect();
    json!({ "oneOf": options })
}

fn one(keys: &'static [Key]) -> Json {
    let mut out = map(&keys.iter().collect::<Vec<_>>());
    out["minProperties"] = json!(1);
    out["maxProperties"] = json!(1);
    if let Some(map) = out.as_object_mut() {
        map.remove("required");
    }
    out
}

fn named(form: Form, inside: Json) -> Json {
    match form.pattern() {
        Some(pattern) => json!({
            "type": "object",
            "patternProperties": { format!("^({pattern})$"): inside },
            "additionalProperties": false,
        }),
        None => json!({ "type": "object", "additionalProperties": inside }),
    }
}

/// A chain of conditions, so that an editor shows the keys of the one case that is meant.
fn cases(cases: &'static Cases, sources: Sources) -> Json {
    let common: Vec<&Key> = cases.common.iter().collect();
    let mut chain = map(&common);
    // Without the deciding key nothing is known about the others.
    chain["additionalProperties"] = json!(true);
    for case in cases.cases.iter().rev() {
        let keys: Vec<&Key> = cases.common.iter().chain(case.keys).collect();
        let mut then = map(&keys);
        across_keys(&keys, sources, &mut then);
        chain = json!({ "if": condition(cases, case), "then": then, "else": chain });
    }
    chain
}

/// Whether a field has a source in the row, or may stand in JSON under its own name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sources {
    OfTheRow,
    OrInJson,
}

/// What the keys of a field ask of each other.
fn across_keys(keys: &[&Key], sources: Sources, schema: &mut Json) {
    let has = |name: &str| keys.iter().any(|k| k.name == name);
    if has("from") && has("expr") {
        let all: Vec<&str> = ["from", "expr", "value"]
            .into_iter()
            .filter(|n| has(n))
            .collect();
        schema["oneOf"] = all.iter().map(|n| json!({ "required": [n] })).collect();
        if sources == Sources::OrInJson
            && let Some(one) = schema["oneOf"].as_array_mut()
        {
            let any: Vec<Json> = one.clone();
            one.push(json!({ "not": { "anyOf": any } }));
        }
    }
    if has("at") && sources == Sources::OfTheRow {
        schema["dependentRequired"] = json!({ "at": ["from"] });
    }
    if has("items") {
        schema["required"] = match sources {
            Sources::OfTheRow => json!(["type", "from", "items"]),
            Sources::OrInJson => json!(["type", "items"]),
        };
    }
    if has("classification") {
        schema["if"] = json!({
            "required": ["classification"],
            "properties": { "classification": { "const": "personal" } },
        });
        schema["then"] = json!({ "required": ["protect"] });
    }
}

fn condition(cases: &Cases, case: &Case) -> Json {
    let words: Vec<String> = case
        .words
        .iter()
        .map(|w| match *w {
            "decimal" => "decimal\\(.*\\)".to_owned(),
            word => word.to_owned(),
        })
        .collect();
    let pattern = format!("^({})$", words.join("|"));
    json!({ "required": [cases.by], "properties": { cases.by: { "type": "string", "pattern": pattern } } })
}
