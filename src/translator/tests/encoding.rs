//! Values are encoded byte for byte as apache-avro does, and decode to what the row held.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use onramp_connector::plain::layout;
use onramp_connector::{Decimal, Value, ValueType};
use onramp_event::Arena;
use onramp_finding::codes::mapping;
use onramp_translator::{Stopped, contract};
use proptest::prelude::*;
use support::{Given, Log, column, nullable, product, table, translator};

const HEAD: &str = "source: { table: public.ordr_hdr }\nkey: [id]";

const FIELDS: &str = "
id: { type: long, from: l }
b: { type: boolean, from: b }
i: { type: int, from: i }
f: { type: float, from: f }
d: { type: double, from: d }
s: { type: string, from: s }
y: { type: bytes, from: y }
n: { type: 'decimal(38,4)', from: n }
dt: { type: date, from: dt }
ts: { type: timestamp, from: ts }
lt: { type: local-timestamp, from: lt }
t: { type: time, from: t }
u: { type: uuid, from: u }
j: { type: json, from: j }
e: { type: enum, from: e, values: { 'A': ALPHA, 'BB': BETA }, default: UNKNOWN, otherwise: { value: UNKNOWN } }
o: { type: string, from: o, optional: true }
r:
  type: record
  fields:
    i: { type: long, from: i }
    n: { type: 'decimal(38,4)', from: m, optional: true }
";

/// Every field of one value once more, optional, over a column of its own: `b` and `null_b`.
fn with_optional_twins() -> String {
    let twins = FIELDS.lines().filter_map(|line| {
        let (name, rest) = line.split_once(": {")?;
        let plain = !name.starts_with(' ') && !rest.contains("optional");
        let rest = rest.replacen("from: ", "optional: true, from: null_", 1);
        plain.then(|| format!("null_{name}: {{{rest}\n"))
    });
    FIELDS.to_owned() + &twins.collect::<String>()
}

fn theirs(schema: &Schema, value: Avro) -> Vec<u8> {
    let writer = GenericDatumWriter::builder(schema).build().unwrap();
    writer.write_value_to_vec(value).unwrap()
}

fn read(schema: &Schema, bytes: &[u8]) -> Avro {
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    reader.read_value(&mut &bytes[..]).unwrap()
}

#[derive(Debug, Clone)]
struct Row {
    l: i64,
    b: bool,
    i: i32,
    f: f32,
    d: f64,
    s: String,
    y: Vec<u8>,
    n: i64,
    dt: i32,
    ts: i64,
    t: i64,
    u: [u8; 16],
    e: usize,
    o: Option<String>,
    m: Option<i128>,
    /// Which of the optional twins are null: bit by bit.
    nulls: u32,
}

/// So many fields have an optional twin.
const PLAIN: usize = 15;

impl Row {
    /// What the twin of the field at a place holds.
    fn twin<T: Clone>(&self, at: usize, value: &T) -> Option<T> {
        (self.nulls >> at & 1 == 0).then(|| value.clone())
    }
}

fn rows() -> impl Strategy<Value = Row> {
    let m = proptest::option::of(-10i128.pow(37)..10i128.pow(37));
    (
        (
            any::<i64>(),
            any::<bool>(),
            any::<i32>(),
            any::<f32>(),
            any::<f64>(),
        ),
        (
            ".{0,40}",
            any::<Vec<u8>>(),
            any::<i64>(),
            any::<i32>(),
            any::<i64>(),
        ),
        (
            0..86_400_000_000i64,
            any::<[u8; 16]>(),
            0..3usize,
            any::<Option<String>>(),
            m,
        ),
        any::<u32>(),
    )
        .prop_map(
            |((l, b, i, f, d), (s, y, n, dt, ts), (t, u, e, o, m), nulls)| Row {
                l,
                b,
                i,
                f,
                d,
                s,
                y,
                n,
                dt,
                ts,
                t,
                u,
                e,
                o,
                m,
                nulls,
            },
        )
}

fn minimal(value: i128) -> apache_avro::Decimal {
    let all = value.to_be_bytes();
    let start = (0..15)
        .find(|at| {
            let extends = if value < 0 { 0xff } else { 0 };
            all[*at] != extends || (all[at + 1] ^ extends) & 0x80 != 0
        })
        .unwrap_or(15);
    apache_avro::Decimal::from(&all[start..])
}

fn optional(value: Option<Avro>) -> Avro {
    match value {
        None => Avro::Union(0, Box::new(Avro::Null)),
        Some(value) => Avro::Union(1, Box::new(value)),
    }
}

fn expected(row: &Row) -> Avro {
    let symbol = ["ALPHA", "BETA", "UNKNOWN"][row.e];
    let inner = Avro::Record(vec![
        ("i".into(), Avro::Long(row.i.into())),
        (
            "n".into(),
            optional(row.m.map(|m| Avro::Decimal(minimal(m)))),
        ),
    ]);
    let mut fields = vec![
        ("id", Avro::Long(row.l)),
        ("b", Avro::Boolean(row.b)),
        ("i", Avro::Int(row.i)),
        ("f", Avro::Float(row.f)),
        ("d", Avro::Double(row.d)),
        ("s", Avro::String(row.s.clone())),
        ("y", Avro::Bytes(row.y.clone())),
        // The column has two digits behind the point, the field four.
        ("n", Avro::Decimal(minimal(i128::from(row.n) * 100))),
        ("dt", Avro::Date(row.dt)),
        ("ts", Avro::TimestampMicros(row.ts)),
        ("lt", Avro::LocalTimestampMicros(row.ts)),
        ("t", Avro::TimeMicros(row.t)),
        ("u", Avro::Uuid(apache_avro::Uuid::from_bytes(row.u))),
        ("j", Avro::String("{\"a\": 1}".into())),
        ("e", Avro::Enum(row.e as u32, symbol.into())),
        ("o", optional(row.o.clone().map(Avro::String))),
        ("r", inner),
    ];
    let twins: Vec<_> = fields[..PLAIN]
        .iter()
        .enumerate()
        .map(|(at, (name, value))| (format!("null_{name}"), optional(row.twin(at, value))))
        .collect();
    let fields = fields.drain(..).map(|(n, v)| (n.to_owned(), v));
    Avro::Record(fields.chain(twins).collect())
}

#[test]
fn as_apache_avro_encodes() {
    let mut described = table(vec![
        column("l", ValueType::Int(64)),
        column("b", ValueType::Bool),
        column("i", ValueType::Int(32)),
        column("f", ValueType::Float),
        column("d", ValueType::Double),
        column("s", ValueType::Text),
        column("y", ValueType::Bytes),
        column("n", ValueType::Decimal(Some((20, 2)))),
        column("dt", ValueType::Date),
        column("ts", ValueType::Timestamp),
        column("lt", ValueType::LocalTimestamp),
        column("t", ValueType::Time),
        column("u", ValueType::Uuid),
        column("j", ValueType::Json),
        column("e", ValueType::Text),
        nullable("o", ValueType::Text),
        nullable("m", ValueType::Decimal(Some((38, 4)))),
    ]);
    let twins: Vec<_> = described.columns[..PLAIN]
        .iter()
        .map(|c| nullable(&format!("null_{}", c.name), c.value_type.clone()))
        .collect();
    described.columns.extend(twins);
    described.before = onramp_connector::BeforeImage::Whole;
    let product = product(HEAD, &with_optional_twins());
    assert_eq!(product.records()[0].fields.len(), 2 + 2 * PLAIN);
    assert_eq!(onramp_translator::check(&product, &described), []);
    let schema = Schema::parse_str(&contract(&product).values[0].schema).unwrap();
    let layout = layout(&described);
    let translator = std::cell::RefCell::new(translator(&described, &[product], 1 << 20));
    proptest!(|(row in rows())| {
        let code = ["A", "BB", "?"][row.e];
        let decimal = |mantissa, scale| Value::Decimal(Decimal { mantissa, scale });
        let mut cells: Vec<Given<'_>> = [
            Value::Int(row.l), Value::Bool(row.b), Value::Int(row.i.into()), Value::Float(row.f),
            Value::Double(row.d), Value::Text(&row.s), Value::Bytes(&row.y),
            decimal(row.n.into(), 2), Value::Date(row.dt), Value::Timestamp(row.ts),
            Value::LocalTimestamp(row.ts), Value::Time(row.t), Value::Uuid(row.u),
            Value::Text("{\"a\": 1}"), Value::Text(code),
            row.o.as_deref().map_or(Value::Null, Value::Text),
            row.m.map_or(Value::Null, |m| decimal(m, 4)),
        ].into_iter().map(Some).collect();
        for at in 0..PLAIN {
            cells.push(row.twin(at, &cells[at]).unwrap_or(Some(Value::Null)));
        }
        let mut log = Log::new(layout.clone());
        log.begin("0/1").insert(&cells).commit();
        let mut arena = Arena::default();
        translator.borrow_mut().apply(&log.0, 0..4, &mut arena, 1 << 20).unwrap();
        let record = arena.records[0];
        let written = arena.slice(record.value.unwrap());
        prop_assert_eq!(&written[..5], &[0u8, 0, 0, 0, 7]);
        let value = expected(&row);
        let theirs = theirs(&schema, value);
        prop_assert_eq!(&written[5..], &theirs[..]);
        let decoded = read(&schema, &written[5..]);
        let again = self::theirs(&schema, decoded);
        prop_assert_eq!(&again[..], &theirs[..]);
        let key = row.l.to_string();
        prop_assert_eq!(arena.slice(record.key), key.as_bytes());
    });
}

/// One field `x` over one column `c`: its Avro bytes, or why not.
fn encode(field: &str, value_type: ValueType, value: Value<'_>) -> Result<Vec<u8>, &'static str> {
    let product = product(HEAD, &format!("id: {{ type: long, from: l }}\nx: {field}"));
    let described = table(vec![
        column("l", ValueType::Int(64)),
        column("c", value_type),
    ]);
    let mut log = Log::new(layout(&described));
    log.begin("0/1").insert(&[Some(Value::Int(0)), Some(value)]);
    let mut arena = Arena::default();
    match translator(&described, &[product], 1 << 20).apply(&log.0, 0..3, &mut arena, 1 << 20) {
        Ok(_) => Ok(arena.slice(arena.records[0].value.unwrap())[6..].to_vec()),
        Err(Stopped::Row(fault)) => {
            assert_eq!(fault.field, "x");
            Err(fault.code.id)
        }
        Err(Stopped::Table { findings, .. }) => panic!("{findings:#?}"),
    }
}

fn decoded(bytes: &[u8]) -> i64 {
    match read(&Schema::Long, bytes) {
        Avro::Long(v) => v,
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_dates_are_read_strictly() {
    let time = |field: &str, text: &str| {
        encode(field, ValueType::Text, Value::Text(text)).map(|bytes| decoded(&bytes))
    };
    let day = "{ type: date, from: c, parse: '%Y%m%d' }";
    assert_eq!(time(day, "19700102"), Ok(1));
    assert_eq!(time(day, "20240229"), Ok(19_782));
    for wrong in [
        "20230229",
        "2024022",
        "202402291",
        "2024022x",
        "",
        "00000000",
    ] {
        assert_eq!(time(day, wrong), Err(mapping::ROW_TIME.id), "{wrong}");
    }
    let london = |ambiguous: &str| {
        format!(
            "{{ type: timestamp, from: c, parse: '%Y%m%d%H%M%S', zone: Europe/London, ambiguous: {ambiguous} }}"
        )
    };
    let second = 1_000_000;
    assert_eq!(
        time(&london("fail"), "20260701120000"),
        Ok(1_782_903_600 * second)
    );
    assert_eq!(
        time(&london("fail"), "20260101120000"),
        Ok(1_767_268_800 * second)
    );
    // The hour that occurs twice, and the one that never does.
    for text in ["20261025013000", "20260329013000"] {
        assert_eq!(time(&london("fail"), text), Err(mapping::ROW_TIME.id));
    }
    let earlier = time(&london("earlier"), "20261025013000").unwrap();
    let later = time(&london("later"), "20261025013000").unwrap();
    assert_eq!(later - earlier, 3600 * second);
    // 01:30 on the day when 01:00 becomes 02:00: as if the clocks had changed before, or not yet.
    let gap = |ambiguous| time(&london(ambiguous), "20260329013000");
    assert_eq!(gap("earlier"), Ok(1_774_744_200 * second));
    assert_eq!(gap("later"), Ok(1_774_747_800 * second));
    // The minutes around the gap have one moment each.
    assert_eq!(
        time(&london("fail"), "20260329005959"),
        Ok(1_774_745_999 * second)
    );
    assert_eq!(
        time(&london("fail"), "20260329020000"),
        Ok(1_774_746_000 * second)
    );
    let offset = "{ type: timestamp, from: c, parse: '%FT%T%.f%:z' }";
    assert_eq!(time(offset, "1970-01-01T01:00:00.5+01:00"), Ok(500_000));
    assert_eq!(time(offset, "1970-01-01T00:00:00.000001Z"), Ok(1));
    assert_eq!(
        time(offset, "1970-01-01T00:00:00.0000001Z"),
        Err(mapping::ROW_TIME.id)
    );
    let half = "{ type: local-timestamp, from: c, parse: '%d-%b-%Y %I:%M %p' }";
    assert_eq!(time(half, "02-Jan-1970 12:00 AM"), Ok(86_400 * second));
    assert_eq!(time(half, "01-JAN-1970 12:01 pm"), Ok(43_260 * second));
    let clock = "{ type: time, from: c, parse: '%H:%M' }";
    assert_eq!(time(clock, "23:59"), Ok(86_340 * second));
    assert_eq!(time(clock, "24:00"), Err(mapping::ROW_TIME.id));
    let ordinal = "{ type: date, from: c, parse: '%Y%j' }";
    assert_eq!(time(ordinal, "1970365"), Ok(364));
    assert_eq!(time(ordinal, "1970366"), Err(mapping::ROW_TIME.id));
}

#[test]
fn decimals_numbers_codes_and_uuids() {
    let open = ValueType::Decimal(None);
    let decimal = |mantissa, scale| Value::Decimal(Decimal { mantissa, scale });
    let field = "{ type: 'decimal(5,2)', from: c }";
    let bytes = |mantissa, scale| encode(field, open.clone(), decimal(mantissa, scale));
    assert_eq!(bytes(12_345, 2), Ok(vec![4, 0x30, 0x39]));
    assert_eq!(bytes(-1, 2), Ok(vec![2, 0xff]));
    assert_eq!(bytes(128, 2), Ok(vec![4, 0, 0x80]));
    assert_eq!(bytes(1_500, 3), Ok(vec![4, 0, 150]));
    assert_eq!(bytes(1_501, 3), Err(mapping::ROW_VALUE.id));
    assert_eq!(bytes(1_000, 0), Err(mapping::ROW_VALUE.id));
    let whole = "{ type: long, from: c }";
    let tens = ValueType::Decimal(Some((10, 0)));
    assert_eq!(encode(whole, tens, decimal(7, 0)), Ok(vec![14]));
    let int = "{ type: int, from: c }";
    let too_much = Value::Int(1 << 40);
    assert_eq!(
        encode(int, ValueType::Int(32), too_much),
        Err(mapping::ROW_VALUE.id)
    );

    let codes = "{ type: enum, from: c, values: { '1': ONE, '22': TWO }, otherwise: fail }";
    assert_eq!(
        encode(codes, ValueType::Int(16), Value::Int(22)),
        Ok(vec![2])
    );
    assert_eq!(
        encode(codes, ValueType::Text, Value::Text("1")),
        Ok(vec![0])
    );
    assert_eq!(
        encode(codes, ValueType::Text, Value::Text("3")),
        Err(mapping::ROW_CODE.id)
    );
    assert_eq!(
        encode(codes, ValueType::Text, Value::Null),
        Err(mapping::ROW_NULL.id)
    );

    let uuid = "{ type: uuid, from: c }";
    let text = Value::Text("00000000-0000-0000-0000-0000000000AB");
    let written = encode(uuid, ValueType::Text, text).unwrap();
    assert_eq!(&written[1..], b"00000000-0000-0000-0000-0000000000ab");
    let wrong = Value::Text("00000000-0000-0000-0000-00000000000g");
    assert_eq!(
        encode(uuid, ValueType::Text, wrong),
        Err(mapping::ROW_VALUE.id)
    );

    let expr = "{ type: string, expr: \"'ORD-' + string(row.c)\" }";
    let written = encode(expr, ValueType::Int(32), Value::Int(42)).unwrap();
    assert_eq!(written, b"\x0cORD-42");
}

#[test]
fn personal_values_become_stable_pseudonyms() {
    let field = "{ type: string, from: c, classification: personal, protect: { hmac: pii } }";
    let written = encode(field, ValueType::Text, Value::Text("a@b.test")).unwrap();
    // HMAC-SHA-256 of `a@b.test` under `secret`, as Python's hmac and base64 have it.
    assert_eq!(
        std::str::from_utf8(&written[1..]).unwrap(),
        "pii:Ca_nfh7N99f2DtKpXIaxYrUziAOXMnkBNErgtZ6EB3Q"
    );
}

#[test]
fn keys_of_several_fields_and_avro_keys() {
    let mut described = table(vec![
        column("l", ValueType::Int(64)),
        column("c", ValueType::Text),
    ]);
    described.before = onramp_connector::BeforeImage::Whole;
    let fields = "id: { type: long, from: l }\nx: { type: string, from: c }";
    let head = |format| {
        format!("source: {{ table: public.ordr_hdr }}\nkey: [id, x]\nkey_format: {format}")
    };
    for format in ["string", "avro"] {
        let product = product(&head(format), fields);
        let key_schema = contract(&product).key_schema;
        let mut log = Log::new(layout(&described));
        log.begin("0/1")
            .insert(&[Some(Value::Int(3)), Some(Value::Text("a\"b"))]);
        let mut arena = Arena::default();
        translator(&described, &[product], 1 << 20)
            .apply(&log.0, 0..3, &mut arena, 1 << 20)
            .unwrap();
        let record = arena.records[0];
        assert_eq!(arena.slice(record.subject), br#"[3,"a\"b"]"#);
        let key = arena.slice(record.key);
        assert_eq!(record.partition, onramp_event::partition(key, 3));
        match key_schema {
            None => assert_eq!(record.key, record.subject),
            Some(schema) => {
                let schema = Schema::parse_str(&schema).unwrap();
                let value = Avro::Record(vec![
                    ("id".into(), Avro::Long(3)),
                    ("x".into(), Avro::String("a\"b".into())),
                ]);
                let expected = theirs(&schema, value);
                assert_eq!(key, [&[0, 0, 0, 0, 8][..], &expected].concat());
            }
        }
    }
}
