//! What an application says of its event beside the payload: when it happened, and where it goes.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use onramp_connector::{Value, ValueType, plain};
use onramp_event::{Arena, Record};
use onramp_finding::codes::mapping::ROW_VALUE;
use onramp_translator::{Stopped, check};
use support::{Given, Log, column, nullable, of_kind, table, translator};

/// Tests' transactions commit at this time, in microseconds.
const COMMITTED: i64 = 1_000;
const HOUR: i64 = 3_600_000_000;

/// The event of a row with these two columns, or code and field.
fn event(at: (ValueType, Given<'_>), part: Given<'_>) -> Result<Record, (&'static str, String)> {
    let keys = "source: { table: public.ordr_hdr }
columns: { id: id, type: t, key: id, payload: c, timestamp: at, partition: part }
events:
  Placed: { payload: json, fields: { n: { type: int, optional: true } } }\n";
    let product = of_kind("outbox", keys, &[]);
    let described = table(vec![
        column("id", ValueType::Int(64)),
        column("t", ValueType::Text),
        column("c", ValueType::Json),
        nullable("at", at.0),
        nullable("part", ValueType::Int(64)),
    ]);
    assert_eq!(check(&product, &described), []);
    let (id, word, payload) = (Value::Int(7), Value::Text("Placed"), Value::Text("{}"));
    let mut log = Log::new(plain::layout(&described));
    let row = [Some(id), Some(word), Some(payload), at.1, part];
    log.begin("0/1").insert(&row);
    let mut arena = Arena::default();
    match translator(&described, &[product], 1 << 20).apply(&log.0, 0..3, &mut arena, 1 << 20) {
        Ok(_) => Ok(arena.records.remove(0)),
        Err(Stopped::Row(fault)) => Err((fault.code.id, fault.field.clone())),
        Err(why) => panic!("{why:?}"),
    }
}

const NULL: Given<'static> = Some(Value::Null);

#[test]
fn an_event_has_its_own_time_where_brokers_take_it() {
    let millis = |ms| (ValueType::Int(64), Some(Value::Int(ms)));
    let moment = |us| (ValueType::Timestamp, Some(Value::Timestamp(us)));
    let latest = COMMITTED + HOUR;
    for (at, wanted) in [
        (millis(0), Some(0)),
        (millis(1_500), Some(1_500_000)),
        (moment(latest), Some(latest)),
        ((ValueType::Timestamp, NULL), None),
    ] {
        assert_eq!(event(at, NULL).unwrap().at_us, wanted);
    }
    for at in [
        millis(-1),
        millis(i64::MAX),
        millis(i64::MAX / 1000),
        moment(-1),
        moment(latest + 1),
    ] {
        let refused = event(at, NULL).map(|record| record.at_us);
        assert_eq!(refused, Err((ROW_VALUE.id, "timestamp".to_owned())));
    }
}

#[test]
fn an_event_goes_to_the_partition_that_it_names() {
    let at = || (ValueType::Timestamp, NULL);
    let by_key = event(at(), NULL).unwrap().partition;
    assert_eq!(by_key, onramp_event::partition(b"7", 3));
    for number in 0..3 {
        let record = event(at(), Some(Value::Int(number.into()))).unwrap();
        assert_eq!(record.partition, number);
    }
    for number in [-1, 3, 1 << 32] {
        let refused = event(at(), Some(Value::Int(number))).map(|record| record.partition);
        assert_eq!(refused, Err((ROW_VALUE.id, "partition".to_owned())));
    }
}
