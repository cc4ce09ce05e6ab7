//! Whether a schema is Avro at all (the specification of 1.12): no registry takes another, and by then
//! what a start makes has been made.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::names::full;
use super::types::Refused;
use super::under;

const PRIMITIVES: &[&str] = &[
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

/// Deeper than any schema that is read for its fields.
const MAX_DEPTH: usize = 64;

/// What is not Avro in a schema, each at its path.
pub(super) fn faults(schema: &Value) -> Vec<Refused> {
    let mut judge = Judge::default();
    judge.r#type(schema, "", "", 0);
    judge.faults
}

#[derive(Default)]
struct Judge {
    /// Named types by their full names, each with the namespace within.
    known: HashMap<String, (Value, String)>,
    faults: Vec<Refused>,
}

impl Judge {
    fn say(&mut self, path: &str, what: &str, remedy: &'static str) {
        self.faults.push(Refused {
            why: "no registry takes a schema that is not Avro",
            ..Refused::new(path, what, remedy)
        });
    }

    fn r#type(&mut self, schema: &Value, space: &str, path: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return self.say(path, "is nested too deep", "flatten it");
        }
        match schema {
            Value::String(word) => self.word(word, space, path),
            Value::Array(branches) => self.union(branches, space, path, depth),
            Value::Object(_) => match &schema["type"] {
                Value::String(word) => self.object(word, schema, space, path, depth),
                Value::Null => self.say(path, "has no type", "give it one"),
                inner => self.r#type(inner, space, path, depth + 1),
            },
            _ => self.say(path, "has no type", "give it one"),
        }
    }

    fn word(&mut self, word: &str, space: &str, path: &str) {
        match word {
            "record" | "error" | "enum" | "fixed" | "array" | "map" => {
                let what = format!("is of the type {word}, of which nothing more is said there");
                let remedy = "nest it: `\"type\": { \"type\": \"record\", \"name\": …, … }`";
                self.say(path, &what, remedy);
            }
            _ if PRIMITIVES.contains(&word) || self.find(word, space).is_some() => {}
            _ => {
                let what = format!("is of the type {word}, which nothing before it defines");
                self.say(path, &what, "define it where it first stands");
            }
        }
    }

    /// A named type, and the namespace within it.
    fn find(&self, name: &str, space: &str) -> Option<&(Value, String)> {
        let known = self.known.get(&full(name, space));
        known.or_else(|| self.known.get(name))
    }

    fn object(&mut self, word: &str, schema: &Value, space: &str, path: &str, depth: usize) {
        let each = format!("{path}[]");
        match word {
            "array" => self.r#type(&schema["items"], space, &each, depth + 1),
            "map" => self.r#type(&schema["values"], space, &each, depth + 1),
            "record" | "error" => {
                if let Some(within) = self.define(schema, space, path) {
                    self.fields(schema, &within, path, depth);
                }
            }
            "enum" => {
                self.define(schema, space, path);
                self.symbols(schema, path);
            }
            "fixed" => {
                self.define(schema, space, path);
                if schema["size"].as_u64().is_none() {
                    self.say(
                        path,
                        "is a fixed without a `size`",
                        "say how many bytes it has",
                    );
                }
            }
            word => self.word(word, space, path),
        }
    }

    /// Notes a named type; the namespace within it.
    fn define(&mut self, schema: &Value, space: &str, path: &str) -> Option<String> {
        let Some(name) = schema["name"].as_str() else {
            self.say(path, "has no name", "give it one");
            return None;
        };
        let name = full(name, schema["namespace"].as_str().unwrap_or(space));
        if let Some(bad) = name.split('.').find(|part| !is_a_name(part)) {
            let what = format!("has a name, or a namespace, with `{bad}` in it");
            self.say(path, &what, "use letters, digits and _, no digit first");
        }
        let within = name.rsplit_once('.').map_or("", |(space, _)| space);
        let within = within.to_owned();
        let noted = (schema.clone(), within.clone());
        if self.known.insert(name.clone(), noted).is_some() {
            let what = format!("defines {name} once more");
            let remedy = "name what was defined before it, or name this one otherwise";
            self.say(path, &what, remedy);
        }
        Some(within)
    }

    fn fields(&mut self, record: &Value, space: &str, path: &str, depth: usize) {
        let Some(fields) = record["fields"].as_array() else {
            return self.say(path, "is a record without `fields`", "list them");
        };
        let mut names = HashSet::new();
        for field in fields {
            let Some(name) = field["name"].as_str() else {
                self.say(path, "has a field without a name", "name it");
                continue;
            };
            let path = under(path, name);
            if !is_a_name(name) {
                let remedy = "use letters, digits and _, no digit first";
                self.say(&path, "has a name that Avro does not have", remedy);
            }
            if !names.insert(name) {
                self.say(&path, "stands there twice", "keep one of them");
            }
            let before = self.faults.len();
            self.r#type(&field["type"], space, &path, depth + 1);
            let default = field.get("default");
            if let (true, Some(default)) = (before == self.faults.len(), default)
                && !self.holds(&field["type"], space, default, depth)
            {
                let what = "has a default that its type does not hold";
                self.say(&path, what, "correct the default, or take it out");
            }
        }
    }

    fn symbols(&mut self, schema: &Value, path: &str) {
        let Some(symbols) = schema["symbols"].as_array() else {
            return self.say(path, "is an enum without `symbols`", "list them");
        };
        let mut seen = HashSet::new();
        for symbol in symbols {
            match symbol.as_str() {
                Some(symbol) if is_a_name(symbol) => {
                    if !seen.insert(symbol) {
                        let what = format!("has the symbol {symbol} twice");
                        self.say(path, &what, "keep one of them");
                    }
                }
                _ => {
                    let what = format!("has a symbol that Avro does not have, {symbol}");
                    self.say(path, &what, "use letters, digits and _, no digit first");
                }
            }
        }
        if let Some(default) = schema.get("default")
            && !symbols.contains(default)
        {
            let what = "has a default that is none of its symbols";
            self.say(path, what, "add the symbol, or take the default out");
        }
    }

    fn union(&mut self, branches: &[Value], space: &str, path: &str, depth: usize) {
        let mut kinds = HashSet::new();
        for branch in branches {
            self.r#type(branch, space, path, depth + 1);
            let word = branch.as_str().or_else(|| branch["type"].as_str());
            let named = matches!(word, Some("record" | "error" | "enum" | "fixed"));
            match word {
                None if branch.is_array() => {
                    let what = "is a union in a union";
                    self.say(path, what, "write one list of all the types");
                }
                Some(word) if !named && !kinds.insert(word) => {
                    let what = format!("is a union that has {word} twice");
                    self.say(path, &what, "keep one of them");
                }
                _ => {}
            }
        }
    }

    /// Whether a type holds a default; of a union any branch may, as in Avro since 1.12.
    fn holds(&self, schema: &Value, space: &str, value: &Value, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return true;
        }
        let holds = |schema: &Value, value: &Value| self.holds(schema, space, value, depth + 1);
        if let Some(branches) = schema.as_array() {
            return branches.iter().any(|branch| holds(branch, value));
        }
        let Some(word) = schema.as_str().or_else(|| schema["type"].as_str()) else {
            return holds(&schema["type"], value);
        };
        let list = |value: &Value, of: &Value| {
            let items = value.as_array();
            items.is_some_and(|items| items.iter().all(|item| holds(of, item)))
        };
        match word {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "int" => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            "long" => value.is_i64(),
            // Their spelling of what is no number is some libraries' own.
            "float" | "double" => value.is_number() || value.is_string(),
            "string" | "bytes" | "fixed" => value.is_string(),
            "enum" => schema["symbols"]
                .as_array()
                .is_some_and(|symbols| symbols.contains(value)),
            "array" => list(value, &schema["items"]),
            "map" => value
                .as_object()
                .is_some_and(|all| all.values().all(|value| holds(&schema["values"], value))),
            "record" | "error" => {
                let own = schema["namespace"].as_str().unwrap_or(space);
                let name = full(schema["name"].as_str().unwrap_or_default(), own);
                let own = name.rsplit_once('.').map_or("", |(space, _)| space);
                let fields = schema["fields"].as_array().map_or(&[][..], Vec::as_slice);
                value.as_object().is_some_and(|all| {
                    fields.iter().all(|field| {
                        let name = field["name"].as_str().unwrap_or_default();
                        let value = all.get(name);
                        value.map_or(field.get("default").is_some(), |value| {
                            self.holds(&field["type"], own, value, depth + 1)
                        })
                    })
                })
            }
            name => self.find(name, space).is_none_or(|(known, _)| {
                let own = name.rsplit_once('.').map_or(space, |(space, _)| space);
                self.holds(known, own, value, depth + 1)
            }),
        }
    }
}

fn is_a_name(name: &str) -> bool {
    let mut signs = name.bytes();
    let first = signs.next();
    first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && signs.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
