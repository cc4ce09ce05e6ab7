//! A row of a legacy shop, for every test.
#![allow(dead_code, unreachable_pub, missing_docs)]

use onramp_connector::{Decimal, Undecodable, Value};
use onramp_expression::{Column, Row, Scope, Type};

pub const COLUMNS: [(&str, Type, bool); 20] = [
    ("ord_no", Type::Int, false),
    ("qty", Type::Int, true),
    ("ord_stat", Type::String, false),
    ("del_flg", Type::String, true),
    ("cust_nm", Type::String, false),
    ("note", Type::String, true),
    ("tot_amt", Type::Decimal, false),
    ("disc", Type::Decimal, true),
    ("rate", Type::Double, false),
    ("paid", Type::Bool, false),
    ("gift", Type::Bool, true),
    ("ord_day", Type::Date, false),
    ("cut_off", Type::Time, false),
    ("crt_ts", Type::Timestamp, false),
    ("loc_ts", Type::LocalTimestamp, false),
    ("ref_id", Type::Uuid, false),
    ("blob", Type::Bytes, false),
    ("order no", Type::Int, false),
    ("doc", Type::String, false),
    ("more", Type::String, true),
];

/// A document as an application writes them.
pub const DOC: &str = r#"{"customer": {"name": "Ada", "vip": true}, "lines": [{"qty": 2, "price": 12.50}], "note": null}"#;

pub fn scope() -> Scope {
    let columns = COLUMNS.iter().enumerate();
    let columns = columns.map(|(slot, (name, r#type, nullable))| Column {
        name: (*name).to_owned(),
        r#type: r#type.clone(),
        nullable: *nullable,
        slot,
        constant: None,
    });
    Scope::new().columns("row", columns.collect())
}

pub struct Order(pub Vec<Value<'static>>);

impl Order {
    pub fn example() -> Order {
        Order(vec![
            Value::Int(7),
            Value::Null,
            Value::Text("N"),
            Value::Null,
            Value::Text("  Ada Löve "),
            Value::Null,
            Value::Decimal(Decimal {
                mantissa: 1250,
                scale: 2,
            }),
            Value::Null,
            Value::Double(0.5),
            Value::Bool(true),
            Value::Null,
            Value::Date(20_484),
            Value::Time(45_000_000_000),
            Value::Timestamp(1_769_860_800_000_000),
            Value::LocalTimestamp(1_769_860_800_500_000),
            Value::Uuid([0xab; 16]),
            Value::Bytes(&[0xff, 0x00]),
            Value::Int(9),
            Value::Text(DOC),
            Value::Null,
        ])
    }
}

impl<'a> Row<'a> for Order {
    fn value(&self, slot: usize) -> Result<Value<'a>, Undecodable> {
        Ok(self.0[slot])
    }
}
