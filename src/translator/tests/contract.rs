//! The contract: its exact text, and what changes its hashes.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use apache_avro::Schema;
use onramp_translator::contract;
use support::product;

const HEAD: &str = "source: { table: public.ordr_hdr }\nkey: [id]\nkey_format: avro";

const FIELDS: &str = "
id: { type: long, from: no, doc: The number. }
total: { type: 'decimal(12,2)', from: tot, optional: true }
stat: { type: enum, from: st, values: { 'N': NEW, 'P': PAID, 'Q': PAID }, default: OTHER, otherwise: { value: OTHER } }
mail: { type: string, from: ml, classification: personal, protect: { hmac: pii } }
name: { type: string, from: nm, classification: personal, protect: { drop: true } }
doc: { type: json, from: js }
deliver_to:
  type: record
  fields:
    at: { type: timestamp, from: at }
    kind: { type: enum, from: kd, values: { 'a': A }, default: A, otherwise: fail }
";

#[test]
fn exact_and_parsed_by_apache_avro() {
    let made = contract(&product(HEAD, FIELDS));
    let expected = concat!(
        r#"{"type":"record","name":"Orders","namespace":"commerce","doc":"Orders.","fields":["#,
        r#"{"name":"id","doc":"The number.","type":"long"},"#,
        r#"{"name":"total","type":["null",{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}],"default":null},"#,
        r#"{"name":"stat","type":{"type":"enum","name":"OrdersStat","symbols":["NEW","PAID","OTHER"],"default":"OTHER"}},"#,
        r#"{"name":"mail","classification":"personal","type":"string"},"#,
        r#"{"name":"doc","type":{"type":"string","contentType":"application/json"}},"#,
        r#"{"name":"deliver_to","type":{"type":"record","name":"OrdersDeliverTo","fields":["#,
        r#"{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},"#,
        r#"{"name":"kind","type":{"type":"enum","name":"OrdersDeliverToKind","symbols":["A"],"default":"A"}}]}}]}"#,
    );
    assert_eq!(made.values[0].schema, expected);
    let key = made.key_schema.clone().unwrap();
    assert_eq!(
        key,
        r#"{"type":"record","name":"OrdersKey","namespace":"commerce","fields":[{"name":"id","type":"long"}]}"#
    );
    Schema::parse_str(&made.values[0].schema).unwrap();
    Schema::parse_str(&key).unwrap();
    assert_eq!(made.contract_hash.len(), 64);
    assert_eq!(made, contract(&product(HEAD, FIELDS)));
}

#[test]
fn hashes_change_with_what_they_stand_for() {
    let base = contract(&product(HEAD, FIELDS));
    let documented = contract(&product(
        HEAD,
        &FIELDS.replace("The number.", "Its number."),
    ));
    assert_ne!(base.contract_hash, documented.contract_hash);
    assert_eq!(base.mapping_hash, documented.mapping_hash);
    assert_eq!(base.key_schema, documented.key_schema);
    for (from, to) in [("from: tot", "from: tot2"), ("'Q': PAID", "'R': PAID")] {
        let other = contract(&product(HEAD, &FIELDS.replace(from, to)));
        assert_eq!(base.contract_hash, other.contract_hash);
        assert_ne!(base.mapping_hash, other.mapping_hash);
    }
    let filtered = HEAD.replace("hdr }", "hdr, where: 'row.no > 1' }");
    let filtered = contract(&product(&filtered, FIELDS));
    assert_ne!(base.mapping_hash, filtered.mapping_hash);
}
