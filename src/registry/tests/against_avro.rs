//! Where Avro's own checker has a rule, ours says the same.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail as its body does")]

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use onramp_registry::Level;
use onramp_registry::evolution::violations;
use proptest::prelude::*;
use serde_json::{Value, json};

fn primitive() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        "boolean", "int", "long", "float", "double", "string", "bytes",
    ])
    .prop_map(|word| json!(word))
}

/// An enum by name `E{tag}`, which is unique within a schema since its field's tag is.
fn symbols(tag: &'static str) -> impl Strategy<Value = Value> {
    (
        prop::sample::subsequence(vec!["A", "B", "C", "D"], 1..=4),
        any::<bool>(),
    )
        .prop_map(move |(symbols, with_default)| {
            let mut e = json!({"type": "enum", "name": format!("E{tag}"), "symbols": symbols});
            if with_default {
                e["default"] = json!(symbols[0]);
            }
            e
        })
}

fn simple(tag: &'static str) -> impl Strategy<Value = Value> {
    let fixed = (1..3u32)
        .prop_map(move |size| json!({"type": "fixed", "name": format!("F{tag}"), "size": size}));
    let inner = prop::sample::subsequence(vec!["x", "y"], 0..=2)
        .prop_flat_map(|names| {
            let count = names.len();
            (
                Just(names),
                prop::collection::vec((primitive(), any::<bool>()), count),
            )
        })
        .prop_map(move |(names, types)| {
            let fields: Vec<_> = (names.iter().zip(types))
                .map(|(name, (t, optional))| match optional {
                    true => json!({"name": name, "type": ["null", t], "default": null}),
                    false => json!({"name": name, "type": t}),
                })
                .collect();
            json!({"type": "record", "name": format!("R{tag}"), "fields": fields})
        });
    prop_oneof![4 => primitive(), 2 => symbols(tag), 1 => fixed, 2 => inner]
}

fn field_type(tag: &'static str) -> impl Strategy<Value = Value> {
    let union = prop::sample::subsequence(
        vec!["null", "boolean", "int", "long", "double", "string"],
        1..=4,
    )
    .prop_map(|branches| json!(branches));
    prop_oneof![
        4 => simple(tag),
        2 => simple(tag).prop_map(|t| json!(["null", t])),
        1 => simple(tag).prop_map(|t| json!({"type": "array", "items": t})),
        1 => simple(tag).prop_map(|t| json!({"type": "map", "values": t})),
        2 => union,
    ]
}

fn record() -> impl Strategy<Value = Value> {
    let fields = (
        prop::option::weighted(0.8, field_type("a")),
        prop::option::weighted(0.8, field_type("b")),
        prop::option::weighted(0.5, primitive()),
    );
    fields.prop_map(|(a, b, c)| {
        let mut fields = Vec::new();
        for (name, t) in [("a", a), ("b", b)] {
            if let Some(t) = t {
                fields.push(json!({"name": name, "type": t}));
            }
        }
        if let Some(t) = c {
            fields.push(json!({"name": "c", "type": ["null", t], "default": null}));
        }
        json!({"type": "record", "name": "Root", "fields": fields})
    })
}

/// A schema and one that follows it, which keeps some of its fields as they are.
fn pair() -> impl Strategy<Value = (Value, Value)> {
    (record(), record(), prop::collection::vec(any::<bool>(), 3)).prop_map(|(old, other, kept)| {
        let mut new = other.clone();
        let field = |of: &Value, name: &str| {
            let fields = of["fields"].as_array().unwrap();
            fields.iter().find(|f| f["name"] == name).cloned()
        };
        let fields = ["a", "b", "c"].iter().zip(kept);
        new["fields"] = fields
            .filter_map(|(name, kept)| field(if kept { &old } else { &other }, name))
            .collect();
        (old, new)
    })
}

fn reads(reader: &Value, writer: &Value) -> bool {
    let parse = |v: &Value| Schema::parse(v).unwrap();
    SchemaCompatibility::can_read(&parse(writer), &parse(reader)) == Ok(Compatibility::Full)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_avro_sees_we_see((old, new) in pair()) {
        for (level, theirs) in [
            (Level::Backward, reads(&new, &old)),
            (Level::Forward, reads(&old, &new)),
        ] {
            let found = violations(&old, &new, level).unwrap();
            let ours = !found.iter().any(|v| v.rule.is_avros());
            prop_assert_eq!(ours, theirs, "{}: {:#?}", level, found);
        }
    }
}
