//! What has parts in JSON: arrays of records and of arrays, nullable records, maps, and what of an
//! event's `.avsc` a payload may have.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use onramp_connector::{Value, ValueType, plain};
use onramp_event::Arena;
use onramp_finding::codes::mapping::{ROW_JSON, ROW_NULL, ROW_TIME, ROW_TOO_LARGE};
use onramp_language::Product;
use onramp_translator::{FieldCipher, Stopped, check, contract};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use support::{Log, column, of_kind, product, table, translator, with_list};

const HEAD: &str = "source: { table: public.ordr_hdr }\nkey: [id]";

/// As other programs write it down.
fn plainly(value: Avro) -> Json {
    match value {
        Avro::Null => Json::Null,
        Avro::Union(_, value) => plainly(*value),
        Avro::Boolean(v) => json!(v),
        Avro::Int(v) | Avro::Date(v) | Avro::TimeMillis(v) => json!(v),
        Avro::Long(v)
        | Avro::TimestampMillis(v)
        | Avro::TimestampMicros(v)
        | Avro::LocalTimestampMillis(v) => json!(v),
        Avro::Float(v) => json!(v),
        Avro::String(v) | Avro::Enum(_, v) => json!(v),
        Avro::Array(v) => v.into_iter().map(plainly).collect(),
        Avro::Map(v) => Json::Object(v.into_iter().map(|(n, v)| (n, plainly(v))).collect()),
        Avro::Record(v) => {
            let fields: Map<String, Json> = v.into_iter().map(|(n, v)| (n, plainly(v))).collect();
            Json::Object(fields)
        }
        other => panic!("{other:?}"),
    }
}

/// What a product gives of one row: its first event as Avro's own reader has it, or code and field.
fn given(
    product: &Product,
    types: &[(&str, ValueType)],
    row: &[u8],
) -> Result<Json, (&'static str, String)> {
    let columns = types.iter().map(|(name, t)| column(name, t.clone()));
    let described = table(columns.collect());
    assert_eq!(check(product, &described), []);
    let mut log = Log::new(plain::layout(&described));
    log.begin("0/1").insert_bytes(row);
    let mut arena = Arena::default();
    let schemas = contract(product).values;
    let products = [product.clone()];
    match translator(&described, &products, 1 << 20).apply(&log.0, 0..3, &mut arena, 1 << 20) {
        Ok(_) => {
            let record = &arena.records[0];
            let schema = &schemas[usize::from(record.r#type)].schema;
            let schema = Schema::parse_str(schema).unwrap();
            let mut bytes = &arena.slice(record.value.unwrap())[5..];
            let reader = GenericDatumReader::builder(&schema).build().unwrap();
            let value = reader.read_value(&mut bytes).unwrap();
            assert_eq!(bytes, b"", "nothing follows an event's value");
            Ok(plainly(value))
        }
        Err(Stopped::Row(fault)) => Err((fault.code.id, fault.field.clone())),
        Err(Stopped::Table { findings, .. }) => panic!("{findings:#?}"),
    }
}

/// A field `x` over a column `c` of JSON.
fn of_field(x: &str) -> Product {
    product(HEAD, &format!("id: {{ type: long, from: l }}\nx: {x}"))
}

fn opened(x: &str, text: &str) -> Result<Json, (&'static str, String)> {
    let mut row = Vec::new();
    plain::push(&mut row, Some(Value::Int(7)));
    plain::push(&mut row, Some(Value::Text(text)));
    let types = [("l", ValueType::Int(64)), ("c", ValueType::Json)];
    given(&of_field(x), &types, &row).map(|mut event| event["x"].take())
}

const LINES: &str = "{ type: array, from: c, at: lines, items: { type: record, optional: true, fields: {
  sku: { type: string, at: art }, quantity: { type: int, at: qty },
  unit: { type: enum, values: { 'p': PIECE, '1': ONE } }, note: { type: string, optional: true },
  day: { type: date, optional: true }, source: { type: string, value: shop },
  place: { type: record, fields: { city: { type: string, optional: true } } },
  gift: { type: record, optional: true, at: extra.gift, fields: { to: { type: string } } },
  tags: { type: array, optional: true, items: { type: array, items: { type: string } } },
  parts: { type: array, optional: true, items: { type: record, fields: { n: { type: int } } } } } } }";

#[test]
fn a_record_in_an_array_holds_what_stands_in_its_element() {
    let document = r#"{"lines": [
      {"qty": 2, "art": "A\"1", "unit": "p", "unknown": {"art": 7}, "place": {"city": "York"},
       "day": "1970-01-02", "extra": {"gift": {"to": "Ada"}}, "tags": [["a"], [], ["b", "c"]],
       "parts": [{"n": 1}, {"n": 2, "n": 3}]},
      null,
      {"art": "B", "qty": 1e0, "unit": 1, "note": null, "extra": {"gift": null}}]}"#;
    let first = json!({"sku": "A\"1", "quantity": 2, "unit": "PIECE", "note": null, "day": 1,
        "source": "shop", "place": {"city": "York"}, "gift": {"to": "Ada"},
        "tags": [["a"], [], ["b", "c"]], "parts": [{"n": 1}, {"n": 3}]});
    let third = json!({"sku": "B", "quantity": 1, "unit": "ONE", "note": null, "day": null,
        "source": "shop", "place": {"city": null}, "gift": null, "tags": null, "parts": null});
    assert_eq!(opened(LINES, document), Ok(json!([first, null, third])));
    assert_eq!(opened(LINES, r#"{"lines": []}"#), Ok(json!([])));
}

#[test]
fn what_an_element_lacks_or_cannot_hold_fails_with_the_path_to_it() {
    let line =
        |more: &str| format!(r#"{{"lines": [{{"art": "A", "qty": 1, "unit": "p"{more}}}]}}"#);
    assert!(opened(LINES, &line("")).is_ok());
    for (document, code, field) in [
        (r#"{"lines": [5]}"#.to_owned(), &ROW_JSON, "x"),
        (r#"{"lines": [[]]}"#.to_owned(), &ROW_JSON, "x"),
        (r#"{"lines": {}}"#.to_owned(), &ROW_JSON, "x"),
        (r#"{"lines": [{}], "a"}"#.to_owned(), &ROW_JSON, "x"),
        (r#"{"lines": [{}]}"#.to_owned(), &ROW_NULL, "x[].sku"),
        (line(r#", "art": null"#), &ROW_NULL, "x[].sku"),
        (line(r#", "qty": "1""#), &ROW_JSON, "x[].quantity"),
        (line(r#", "qty": 1.5"#), &ROW_JSON, "x[].quantity"),
        (line(r#", "place": 7"#), &ROW_JSON, "x[].place.city"),
        (line(r#", "day": "1.2.3""#), &ROW_TIME, "x[].day"),
        (line(r#", "extra": {"gift": []}"#), &ROW_JSON, "x[].gift"),
        (line(r#", "extra": {"gift": {}}"#), &ROW_NULL, "x[].gift.to"),
        (line(r#", "extra": 1"#), &ROW_JSON, "x[].gift"),
        (line(r#", "tags": [null]"#), &ROW_NULL, "x[].tags"),
        (line(r#", "tags": [["a", null]]"#), &ROW_NULL, "x[].tags"),
        (
            line(r#", "parts": [{"n": 1}, {}]"#),
            &ROW_NULL,
            "x[].parts[].n",
        ),
    ] {
        let failed = Err((code.id, field.to_owned()));
        assert_eq!(opened(LINES, &document), failed, "{document}");
    }
    let required =
        "{ type: array, from: c, items: { type: record, fields: { a: { type: int } } } }";
    assert_eq!(
        opened(required, "[null]"),
        Err((ROW_NULL.id, "x".to_owned()))
    );
    assert_eq!(opened(required, r#"[{"a": 1}]"#), Ok(json!([{"a": 1}])));
}

#[test]
fn a_record_that_stands_in_a_column_may_be_null() {
    let whole = "{ type: record, from: c, at: who, optional: true, fields: { name: { type: string, at: 'names[0]' } } }";
    let named = r#"{"who": {"names": ["Ada"]}}"#;
    assert_eq!(opened(whole, named), Ok(json!({"name": "Ada"})));
    for nobody in [r#"{"who": null}"#, "{}", "null"] {
        assert_eq!(opened(whole, nobody), Ok(Json::Null));
    }
    let lacking = Err((ROW_NULL.id, "x.name".to_owned()));
    assert_eq!(opened(whole, r#"{"who": {}}"#), lacking);
    assert_eq!(
        opened(whole, r#"{"who": "Ada"}"#),
        Err((ROW_JSON.id, "x".to_owned()))
    );
    // One that is always there is its fields.
    let fields = whole.replace("optional: true, ", "");
    assert_eq!(opened(&fields, named), Ok(json!({"name": "Ada"})));
    assert_eq!(opened(&fields, "{}"), lacking);
}

#[test]
fn fields_put_together_count_from_what_is_around_and_opened_records_from_themselves() {
    let x = "{ type: array, from: c, items: { type: record, fields: {
      who: { type: record, fields: { name: { type: string }, first: { type: string, at: forename } } },
      to: { type: record, at: 'ship[0]', fields: { city: { type: string, at: town },
        by: { type: record, fields: { code: { type: string } } } } } } } }";
    let document = r#"[{"who": {"name": "Byron"}, "forename": "Ada",
        "ship": [{"town": "York", "by": {"code": "air"}}], "town": "Hull"}]"#;
    let wanted = json!([{"who": {"name": "Byron", "first": "Ada"},
        "to": {"city": "York", "by": {"code": "air"}}}]);
    assert_eq!(opened(x, document), Ok(wanted));
}

/// More documents than are noted at once, each opened by two fields, and one that two paths end in.
#[test]
fn every_document_of_a_row_is_opened_by_all_its_fields() {
    let columns: Vec<String> = (0..6).map(|n| format!("c{n}")).collect();
    let mut fields = "id: { type: long, from: l }\n".to_owned();
    for c in &columns {
        fields.push_str(&format!(
            "{c}a: {{ type: int, from: {c}, at: a }}\n{c}b: {{ type: string, from: {c}, at: b.c }}\n\
             {c}d: {{ type: json, from: {c}, at: b }}\n"
        ));
    }
    let product = product(HEAD, &fields);
    let mut types = vec![("l", ValueType::Int(64))];
    types.extend(columns.iter().map(|c| (c.as_str(), ValueType::Json)));
    let row = |which: usize, other: &str| {
        let mut row = Vec::new();
        plain::push(&mut row, Some(Value::Int(7)));
        for n in 0..6 {
            let text = format!(r#"{{"b": {{"c": "{n}"}}, "a": {n}}}"#);
            let text = if n == which { other } else { &text };
            plain::push(&mut row, Some(Value::Text(text)));
        }
        row
    };
    let event = given(&product, &types, &row(6, "")).unwrap();
    for n in 0..6 {
        assert_eq!(event[format!("c{n}a")], n);
        assert_eq!(event[format!("c{n}b")], n.to_string());
    }
    assert_eq!(event["c3d"], r#"{"c": "3"}"#);
    // Broken behind what is opened; lacking; of another type on the way.
    for which in [1, 5] {
        for (other, code, field) in [
            (r#"{"a": 5, "b": {"c": "5"}"#, &ROW_JSON, "a"),
            (r#"{"b": {"c": "5"}}"#, &ROW_NULL, "a"),
            (r#"{"a": 5, "b": "5"}"#, &ROW_JSON, "b"),
        ] {
            let failed = Err((code.id, format!("c{which}{field}")));
            assert_eq!(
                given(&product, &types, &row(which, other)),
                failed,
                "{other}"
            );
        }
    }
}

/// What elements become may be more than they are; what they are read with is not more for more of them.
#[test]
fn many_elements_take_no_more_room_than_a_row_may() {
    let long = "x".repeat(1_000);
    let x = format!(
        "{{ type: array, from: c, items: {{ type: record, fields: {{ a: {{ type: string, value: {long} }} }} }} }}"
    );
    let few = format!("[{}]", vec!["{}"; 1_000].join(","));
    assert!(opened(&x, &few).is_ok());
    let many = format!("[{}]", vec!["{}"; 5_000].join(","));
    assert_eq!(opened(&x, &many), Err((ROW_TOO_LARGE.id, "x".to_owned())));
    let x = "{ type: array, from: c, items: { type: record, fields: {
      parts: { type: array, items: { type: record, fields: { n: { type: int },
        m: { type: int, optional: true }, o: { type: int, optional: true } } } } } } }";
    let inner = format!("[{}]", vec![r#"{"parts":[{"n":1}]}"#; 40_000].join(","));
    let found = opened(x, &inner).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 40_000);
}

#[test]
fn what_holds_no_json_is_refused_before_a_row_comes() {
    let lines = "{ type: array, from: c, items: { type: record, fields: { a: { type: int } } } }";
    let whole = "{ type: record, from: c, optional: true, fields: { a: { type: int } } }";
    for (x, value_type, why) in [
        (
            lines,
            ValueType::Array(Arc::new(ValueType::Json)),
            "array in JSON",
        ),
        (lines, ValueType::Int(32), "neither an array nor JSON"),
        (whole, ValueType::Int(32), "columns of JSON"),
        (whole, ValueType::Bytes, "columns of JSON"),
    ] {
        let columns = vec![column("l", ValueType::Int(64)), column("c", value_type)];
        let refused = check(&of_field(x), &table(columns));
        let [refused] = &refused[..] else {
            panic!("{refused:#?}")
        };
        assert_eq!(refused.code.id, "ONR-303");
        assert!(
            refused.reason.as_deref().unwrap().contains(why),
            "{refused:?}"
        );
    }
}

#[test]
fn the_contract_and_its_hash_are_of_all_that_stands_within() {
    let schema: Json = serde_json::from_str(&contract(&of_field(LINES)).values[0].schema).unwrap();
    let items = &schema["fields"][1]["type"]["items"][1];
    assert_eq!(items["name"], "OrdersX");
    assert_eq!(items["fields"][2]["type"]["name"], "OrdersXUnit");
    assert_eq!(items["fields"][7]["type"][1]["name"], "OrdersXGift");
    assert_eq!(
        items["fields"][8]["type"],
        json!(["null", {"type": "array", "items": {"type": "array", "items": "string"}}])
    );
    let hashes = |x: &str| {
        let contract = contract(&of_field(x));
        (contract.contract_hash, contract.mapping_hash)
    };
    let (contract, mapping) = hashes(LINES);
    let changed = |from: &str, to: &str| hashes(&LINES.replace(from, to));
    let (same, other) = changed("at: art", "at: sku");
    assert!(same == contract && other != mapping);
    let (same, other) = changed("value: shop", "value: till");
    assert!(same == contract && other != mapping);
    let (other, _) = changed("record, optional: true, fields: {\n", "record, fields: {\n");
    assert_ne!(other, contract);
}

#[test]
fn a_dropped_field_of_an_element_is_nowhere() {
    let x = "{ type: array, from: c, items: { type: record, fields: { a: { type: int },
      b: { type: string, classification: personal, protect: { drop: true } } } } }";
    assert_eq!(
        opened(x, r#"[{"a": 1, "b": "hunter2"}]"#),
        Ok(json!([{"a": 1}]))
    );
    assert!(!contract(&of_field(x)).values[0].schema.contains("\"b\""));
}

#[test]
fn each_element_is_protected_wherever_it_stands() {
    let emails = |protect: &str, of: &str, values: &[Option<Value<'_>>], of_column: ValueType| {
        let x = format!(
            "{{ type: array, from: c, protect: {protect}, items: {{ type: {of}, optional: true }} }}"
        );
        let row = with_list(&[Some(Value::Int(7))], &of_column, values);
        let list = ValueType::Array(Arc::new(of_column));
        let types = [("l", ValueType::Int(64)), ("c", list)];
        given(&of_field(&x), &types, &row).unwrap()["x"].take()
    };
    let some = |text: &'static str| Some(Value::Text(text));
    let values = [
        some("ada@a.test"),
        None,
        some("bob@b.test"),
        some("ada@a.test"),
    ];
    for protect in ["{ hmac: pii }", "{ encrypt: pii }"] {
        let shown = emails(protect, "string", &values, ValueType::Text);
        assert!(!shown.to_string().contains("ada"), "{shown}");
        assert_eq!((&shown[0], &shown[1]), (&shown[3], &Json::Null));
        assert_ne!(shown[0], shown[2]);
        let alone = emails(protect, "string", &values[2..3], ValueType::Text);
        assert_eq!(alone[0], shown[2], "its place does not show");
    }
    let masked = emails("{ mask: { keep: 4 } }", "string", &values, ValueType::Text);
    assert_eq!(masked, json!(["****test", null, "****test", "****test"]));
    let numbers = [Some(Value::Int(-12))];
    let shown = emails("{ encrypt: pii }", "long", &numbers, ValueType::Int(64));
    let cipher = FieldCipher::new("pii", support::KEY, "commerce.orders.v1", "x").unwrap();
    assert_eq!(
        cipher.decrypt(shown[0].as_str().unwrap()).as_deref(),
        Some("-12")
    );
}

#[test]
fn a_field_of_an_element_is_protected_as_any_other() {
    let x = "{ type: array, from: c, items: { type: record, fields: {
      name: { type: string, classification: personal, protect: { encrypt: pii } },
      card: { type: string, optional: true, protect: { mask: { keep: 2 } } },
      ids: { type: array, protect: { hmac: pii }, items: { type: string } } } } }";
    let document =
        r#"[{"name": "Ada", "card": "4444", "ids": ["1", "1"]}, {"name": "Ada", "ids": []}]"#;
    let shown = opened(x, document).unwrap();
    assert_eq!(shown[0]["name"], shown[1]["name"]);
    assert_eq!(shown[0]["card"], "****44");
    assert_eq!(shown[0]["ids"][0], shown[0]["ids"][1]);
    let cipher = FieldCipher::new("pii", support::KEY, "commerce.orders.v1", "x[].name").unwrap();
    let name = shown[0]["name"].as_str().unwrap();
    assert_eq!(cipher.decrypt(name).as_deref(), Some("Ada"));
    let schema = &contract(&of_field(x)).values[0].schema;
    assert!(
        schema.contains(r#""protection":"aes-siv","protects":"string""#),
        "{schema}"
    );
}

const EVENT: &str = r#"{"type": "record", "namespace": "shop", "name": "Placed", "fields": [
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "time", "type": ["null", {"type": "int", "logicalType": "time-millis"}]},
  {"name": "local", "type": ["null", {"type": "long", "logicalType": "local-timestamp-millis"}]},
  {"name": "weight", "type": ["null", "float"]},
  {"name": "buyer", "type": ["null", {"type": "record", "name": "Person", "fields": [
    {"name": "name", "type": "string"}, {"name": "phones", "type": {"type": "array", "items": "string"}}]}]},
  {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
    {"name": "sku", "type": "string"}, {"name": "to", "type": ["null", "Person"]},
    {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]}]}}},
  {"name": "labels", "type": {"type": "map", "values": ["null", "long"]}},
  {"name": "grid", "type": ["null", {"type": "array", "items": {"type": "array", "items": "int"}}]},
  {"name": "people", "type": ["null", {"type": "map", "values": "Person"}]}]}"#;

const COLUMNS: &str = "source: { table: public.ordr_hdr }
columns: { id: l, type: t, key: l, payload: c }
events:
";

fn event(payload: &str, value_type: ValueType) -> Result<Json, (&'static str, String)> {
    let keys = format!("{COLUMNS}  Placed: {{ payload: json, schema: placed.avsc }}\n");
    let product = of_kind("outbox", &keys, &[("placed.avsc", EVENT)]);
    let mut row = Vec::new();
    plain::push(&mut row, Some(Value::Int(7)));
    plain::push(&mut row, Some(Value::Text("Placed")));
    let payload = match value_type {
        ValueType::Bytes => Value::Bytes(payload.as_bytes()),
        _ => Value::Text(payload),
    };
    plain::push(&mut row, Some(payload));
    let types = [
        ("l", ValueType::Int(64)),
        ("t", ValueType::Text),
        ("c", value_type),
    ];
    given(&product, &types, &row)
}

/// A payload with these members besides what every event has; the last of a name counts.
fn with(members: &str) -> String {
    format!(r#"{{"at": "1970-01-01T01:00:00.5+01:00", "lines": [], "labels": {{}}, {members}}}"#)
}

#[test]
fn an_events_schema_says_all_that_json_can() {
    let payload = with(
        r#""time": "00:00:01.250", "local": "1970-01-01T00:00:00.001000", "weight": 0.1,
           "buyer": {"name": "Ada", "phones": ["1"]},
           "lines": [{"sku": "A", "to": {"name": "Bob", "phones": []}, "at": "1970-01-01T00:00:00.000001Z"},
                     {"sku": "B"}],
           "labels": {"b": 2, "": null, "a\u0062": 3, "b": 1}, "grid": [[1, 2], []],
           "people": {"x.y": {"name": "Cyd", "phones": ["2", "3"]}}"#,
    );
    let event_of = |value_type| event(&payload, value_type).unwrap();
    let found = event_of(ValueType::Json);
    assert_eq!(
        (&found["at"], &found["time"], &found["local"]),
        (&json!(500), &json!(1250), &json!(1))
    );
    assert_eq!(found["weight"], json!(0.1_f32));
    assert_eq!(found["buyer"], json!({"name": "Ada", "phones": ["1"]}));
    assert_eq!(found["lines"][0]["to"]["name"], "Bob");
    assert_eq!(found["lines"][0]["at"], 1);
    assert_eq!(
        found["lines"][1],
        json!({"sku": "B", "to": null, "at": null})
    );
    assert_eq!(
        found["labels"],
        json!({"": null, "ab": 3, "b": 1}),
        "the last of a name"
    );
    assert_eq!(found["grid"], json!([[1, 2], []]));
    assert_eq!(found["people"]["x.y"]["phones"], json!(["2", "3"]));
    assert_eq!(event_of(ValueType::Bytes), found, "text in UTF-8");
}

#[test]
fn what_an_events_schema_cannot_hold_fails_the_row() {
    for (members, code, field) in [
        (r#""at": "1970-01-01T00:00:00.0005Z""#, &ROW_TIME, "at"),
        (r#""time": "00:00:00.000001""#, &ROW_TIME, "time"),
        (r#""local": "1970-01-01T00:00:00.0001""#, &ROW_TIME, "local"),
        (r#""weight": 16777217"#, &ROW_JSON, "weight"),
        (r#""buyer": "Ada""#, &ROW_JSON, "buyer"),
        (r#""buyer": {"phones": []}"#, &ROW_NULL, "buyer.name"),
        (r#""lines": [{"sku": null}]"#, &ROW_NULL, "lines[].sku"),
        (
            r#""lines": [{"sku": "A", "to": {"name": 7}}]"#,
            &ROW_JSON,
            "lines[].to.name",
        ),
        (r#""labels": []"#, &ROW_JSON, "labels"),
        (r#""labels": {"a": "1"}"#, &ROW_JSON, "labels"),
        (r#""labels": null"#, &ROW_NULL, "labels"),
        (
            r#""people": {"a": {"name": "A"}}"#,
            &ROW_NULL,
            "people[].phones",
        ),
        (r#""grid": [1]"#, &ROW_JSON, "grid"),
    ] {
        let failed = Err((code.id, field.to_owned()));
        assert_eq!(event(&with(members), ValueType::Json), failed, "{members}");
    }
    let null = event("null", ValueType::Json);
    assert_eq!(null, Err((ROW_NULL.id, "at".to_owned())));
    let no_text = event("\u{0}", ValueType::Bytes);
    assert_eq!(no_text, Err((ROW_JSON.id, "at".to_owned())));
}

#[test]
fn json_and_avro_share_a_column_of_bytes_alone() {
    let keys = format!(
        "{COLUMNS}  Placed: {{ payload: json, fields: {{ n: {{ type: int }} }} }}\n  Passed: {{ payload: avro, schema: p.avsc }}\n"
    );
    let schema =
        r#"{"type": "record", "name": "Passed", "fields": [{"name": "n", "type": "int"}]}"#;
    let product = of_kind("outbox", &keys, &[("p.avsc", schema)]);
    let typed = |c: ValueType| [("l", ValueType::Int(64)), ("t", ValueType::Text), ("c", c)];
    for (word, payload, wanted) in [
        ("Placed", &br#"{"n": 3}"#[..], Ok(json!({"n": 3}))),
        ("Passed", &[6], Ok(json!({"n": 3}))),
        ("Placed", b"\xff", Err((ROW_JSON.id, "n".to_owned()))),
    ] {
        let mut row = Vec::new();
        plain::push(&mut row, Some(Value::Int(7)));
        plain::push(&mut row, Some(Value::Text(word)));
        plain::push(&mut row, Some(Value::Bytes(payload)));
        assert_eq!(given(&product, &typed(ValueType::Bytes), &row), wanted);
    }
    let columns = typed(ValueType::Json).map(|(name, t)| column(name, t));
    let refused = check(&product, &table(columns.to_vec()));
    let why = refused[0].reason.as_deref().unwrap();
    assert!(why.contains("Passed is Avro, which is bytes"), "{why}");
    assert!(
        why.contains("Placed is JSON, which bytes hold too"),
        "{why}"
    );
}

fn lines() -> impl Strategy<Value = Json> {
    let text = proptest::option::of(any::<String>());
    let inner = proptest::collection::vec(any::<i32>(), 0..70);
    let line = (any::<i32>(), text, proptest::collection::vec(inner, 0..3));
    let line = proptest::option::of(line).prop_map(|line| match line {
        None => Json::Null,
        Some((n, text, lists)) => json!({"n": n, "text": text, "lists": lists}),
    });
    proptest::collection::vec(line, 0..90).prop_map(Json::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Counts of more than 63 take two bytes.
    #[test]
    fn any_lists_are_read_as_they_were_written(lines in lines()) {
        let x = "{ type: array, from: c, items: { type: record, optional: true, fields: {
          n: { type: int }, text: { type: string, optional: true },
          lists: { type: array, items: { type: array, items: { type: int } } } } } }";
        prop_assert_eq!(opened(x, &lines.to_string()), Ok(lines));
    }
}
