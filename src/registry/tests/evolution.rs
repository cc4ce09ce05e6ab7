//! Each rule of evolution: a change that it allows, one that it does not, and at which levels.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail as its body does")]

use onramp_registry::evolution::violations;
use onramp_registry::{Level, Rule};
use serde_json::{Value, json};

/// A record with one field `f`, and one that never changes.
fn of(field_type: &Value) -> Value {
    json!({"type": "record", "name": "Order", "namespace": "shop", "fields": [
        {"name": "id", "type": "long"},
        {"name": "f", "type": field_type},
    ]})
}

fn record(fields: &Value) -> Value {
    json!({"type": "record", "name": "Order", "namespace": "shop", "fields": fields})
}

fn rules(old: &Value, new: &Value, level: Level) -> Vec<Rule> {
    let found = violations(old, new, level).unwrap();
    for v in &found {
        assert!(!v.message.is_empty() && !v.reason.is_empty() && !v.remedy.is_empty());
    }
    found.into_iter().map(|v| v.rule).collect()
}

/// What breaks backward, what breaks forward; full is both, none is nothing.
#[track_caller]
fn expect(old: &Value, new: &Value, backward: &[Rule], forward: &[Rule]) {
    assert_eq!(rules(old, new, Level::Backward), backward, "backward");
    assert_eq!(rules(old, new, Level::BackwardTransitive), backward);
    assert_eq!(rules(old, new, Level::Forward), forward, "forward");
    assert_eq!(rules(old, new, Level::ForwardTransitive), forward);
    for level in [Level::Full, Level::FullTransitive] {
        let both = rules(old, new, level);
        for rule in backward.iter().chain(forward) {
            assert!(both.contains(rule), "{rule} at {level}");
        }
        assert_eq!(both.is_empty(), backward.is_empty() && forward.is_empty());
    }
    assert_eq!(rules(old, new, Level::None), []);
    assert_eq!(rules(old, old, Level::Full), [], "a schema follows itself");
    assert_eq!(rules(new, new, Level::Full), [], "a schema follows itself");
}

#[test]
fn fields_added_and_removed() {
    let one = record(&json!([{"name": "id", "type": "long"}]));
    let required = record(&json!([
        {"name": "id", "type": "long"}, {"name": "f", "type": "string"}
    ]));
    let optional = record(&json!([
        {"name": "id", "type": "long"},
        {"name": "f", "type": ["null", "string"], "default": null}
    ]));
    expect(&one, &optional, &[], &[]);
    expect(&optional, &one, &[], &[]);
    expect(&one, &required, &[Rule::FieldAdded], &[]);
    expect(&required, &one, &[], &[Rule::FieldRemoved]);
}

#[test]
fn a_renamed_field() {
    let old = of(&json!("string"));
    let new = record(&json!([
        {"name": "id", "type": "long"}, {"name": "g", "aliases": ["f"], "type": "string"}
    ]));
    expect(&old, &new, &[], &[Rule::FieldRemoved]);
    let found = violations(&old, &new, Level::Forward).unwrap();
    assert_eq!(found[0].message, "was renamed to g, and had no default");
}

#[test]
fn types_and_their_promotions() {
    let order = ["int", "long", "float", "double"];
    for (at, narrow) in order.iter().enumerate() {
        for wide in &order[at + 1..] {
            let (narrow, wide) = (of(&json!(narrow)), of(&json!(wide)));
            expect(&narrow, &wide, &[], &[Rule::TypeChanged]);
            expect(&wide, &narrow, &[Rule::TypeChanged], &[]);
        }
    }
    expect(&of(&json!("string")), &of(&json!("bytes")), &[], &[]);
    let both = &[Rule::TypeChanged];
    for (old, new) in [
        (json!("string"), json!("int")),
        (json!("boolean"), json!("int")),
        (json!("string"), json!({"type": "array", "items": "string"})),
        (
            json!("string"),
            json!({"type": "enum", "name": "E", "symbols": ["A"]}),
        ),
        (json!(["null", "string"]), json!(["null", "long"])),
    ] {
        expect(&of(&old), &of(&new), both, both);
    }
}

#[test]
fn logical_types_keep_their_meaning() {
    let plain = |t: &str| of(&json!(t));
    let logical = |t: &str, l: &str| of(&json!({"type": t, "logicalType": l}));
    let decimal = |p: u32, s: u32| {
        of(&json!({"type": "bytes", "logicalType": "decimal", "precision": p, "scale": s}))
    };
    let both = |old: &Value, new: &Value, rule: Rule| {
        expect(old, new, &[rule], &[rule]);
        expect(new, old, &[rule], &[rule]);
    };
    let meaning = Rule::LogicalTypeChanged;
    both(
        &plain("long"),
        &logical("long", "timestamp-micros"),
        meaning,
    );
    both(&plain("string"), &logical("string", "uuid"), meaning);
    both(&plain("int"), &logical("int", "date"), meaning);
    both(&plain("bytes"), &decimal(10, 2), meaning);
    let utc = logical("long", "timestamp-micros");
    both(&utc, &logical("long", "local-timestamp-micros"), meaning);
    both(
        &utc,
        &logical("long", "timestamp-millis"),
        Rule::UnitChanged,
    );
    both(&decimal(10, 2), &decimal(12, 2), Rule::PrecisionChanged);
    both(&decimal(10, 2), &decimal(10, 3), Rule::ScaleChanged);
    expect(&decimal(10, 2), &decimal(10, 2), &[], &[]);
    // The unit changes the type too: time-millis is an int, time-micros a long.
    let (millis, micros) = (
        logical("int", "time-millis"),
        logical("long", "time-micros"),
    );
    expect(&millis, &micros, &[Rule::UnitChanged], &[Rule::TypeChanged]);
    let found = violations(&decimal(10, 2), &decimal(12, 2), Level::Full).unwrap();
    assert_eq!(found.len(), 1, "one change is told once");
    assert_eq!(found[0].path, "f");
    assert_eq!(
        found[0].message,
        "changed from decimal(10,2) to decimal(12,2)"
    );
}

#[test]
fn optional_and_required() {
    let required = of(&json!("string"));
    let optional = of(&json!(["null", "string"]));
    expect(&required, &optional, &[], &[Rule::MadeOptional]);
    expect(&optional, &required, &[Rule::MadeRequired], &[]);
    let other_order = of(&json!(["string", "null"]));
    expect(&optional, &other_order, &[], &[]);
}

#[test]
fn unions() {
    let two = of(&json!(["null", "string", "long"]));
    let three = of(&json!(["null", "string", "long", "boolean"]));
    expect(&two, &three, &[], &[Rule::BranchAdded]);
    expect(&three, &two, &[Rule::BranchRemoved], &[]);
    // An int is read as a long, so nothing is lost.
    let int = of(&json!(["null", "string", "int"]));
    expect(&int, &two, &[], &[Rule::BranchAdded]);
    // What a branch means is looked at too.
    let uuid = json!({"type": "string", "logicalType": "uuid"});
    let meaning = of(&json!(["null", uuid, "long"]));
    let changed = &[Rule::LogicalTypeChanged];
    expect(&two, &meaning, changed, changed);
}

#[test]
fn enums() {
    let e = |symbols: &Value, default: Option<&str>| {
        let mut e = json!({"type": "enum", "name": "Status", "symbols": symbols});
        if let Some(default) = default {
            e["default"] = json!(default);
        }
        of(&e)
    };
    let (two, three) = (json!(["A", "B"]), json!(["A", "B", "C"]));
    expect(&e(&two, Some("A")), &e(&three, Some("A")), &[], &[]);
    expect(&e(&three, Some("A")), &e(&two, Some("A")), &[], &[]);
    expect(
        &e(&two, None),
        &e(&three, Some("A")),
        &[],
        &[Rule::SymbolAdded],
    );
    expect(
        &e(&three, None),
        &e(&two, None),
        &[Rule::SymbolRemoved],
        &[],
    );
    // Grown without a default: this version's readers could not read the next symbol.
    let missing = &[Rule::EnumDefaultMissing];
    expect(&e(&two, Some("A")), &e(&three, None), missing, missing);
    expect(&e(&two, None), &e(&json!(["B", "A"]), None), &[], &[]);
}

#[test]
fn names_and_sizes() {
    let fixed = |name: &str, size: u32| of(&json!({"type": "fixed", "name": name, "size": size}));
    let size = &[Rule::SizeChanged];
    expect(&fixed("F", 8), &fixed("F", 9), size, size);
    let named = &[Rule::NameChanged];
    expect(&fixed("F", 8), &fixed("G", 8), named, named);
    let e = |name: &str| of(&json!({"type": "enum", "name": name, "symbols": ["A"]}));
    expect(&e("E"), &e("D"), named, named);
    let mut other = of(&json!("string"));
    other["namespace"] = json!("elsewhere");
    expect(&of(&json!("string")), &other, named, named);
    other["aliases"] = json!(["shop.Order"]);
    expect(&of(&json!("string")), &other, &[], named);
}

#[test]
fn nested_types_and_their_paths() {
    let nested = |item: &Value, value: &Value| {
        record(&json!([
            {"name": "lines", "type": {"type": "array", "items":
                {"type": "record", "name": "Line", "fields": [{"name": "sku", "type": item}]}}},
            {"name": "labels", "type": {"type": "map", "values": value}},
            {"name": "address", "type": ["null", {"type": "record", "name": "Address",
                "fields": [{"name": "zip", "type": item}]}], "default": null},
        ]))
    };
    let old = nested(&json!("string"), &json!("string"));
    let new = nested(&json!("long"), &json!("int"));
    let changed = &[Rule::TypeChanged; 3];
    expect(&old, &new, changed, changed);
    let paths: Vec<_> = violations(&old, &new, Level::Full)
        .unwrap()
        .into_iter()
        .map(|v| v.path)
        .collect();
    assert_eq!(paths, ["lines[].sku", "labels{}", "address.zip"]);
}

#[test]
fn types_that_hold_themselves() {
    let tree = |leaf: &str| {
        json!({"type": "record", "name": "Tree", "fields": [
            {"name": "leaf", "type": leaf},
            {"name": "left", "type": ["null", "Tree"], "default": null},
            {"name": "right", "type": ["null", "Tree"], "default": null},
        ]})
    };
    let found = violations(&tree("string"), &tree("long"), Level::Full).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "leaf");
}

#[test]
fn what_is_no_schema_says_which() {
    let good = of(&json!("string"));
    let bad = of(&json!("Unknown"));
    let why = violations(&bad, &good, Level::Full)
        .unwrap_err()
        .to_string();
    assert!(why.starts_with("the earlier schema: "), "{why}");
    let why = violations(&good, &bad, Level::Full)
        .unwrap_err()
        .to_string();
    assert!(why.starts_with("the new schema: "), "{why}");
}

#[test]
fn the_page_has_a_row_for_each_rule() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/evolution.md");
    let page = std::fs::read_to_string(page).unwrap();
    for rule in Rule::ALL {
        let row = format!("| `{rule}` |");
        assert!(page.contains(&row), "docs/evolution.md lacks {row}");
    }
}
