use onramp_connector::Decimal;
use proptest::prelude::*;

use super::*;

fn decode(oid: u32, bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    (column(oid, -1).unwrap().1)(bytes)
}

fn wire_numeric(weight: i16, sign: u16, scale: u16, digits: &[u16]) -> Vec<u8> {
    let head = [digits.len() as u16, weight as u16, sign, scale];
    head.iter()
        .chain(digits)
        .flat_map(|n| n.to_be_bytes())
        .collect()
}

fn decimal(mantissa: i128, scale: u8) -> Result<Value<'static>, Undecodable> {
    Ok(Value::Decimal(Decimal { mantissa, scale }))
}

#[test]
fn whole_numbers_and_floats() {
    assert_eq!(decode(21, &(-7_i16).to_be_bytes()), Ok(Value::Int(-7)));
    assert_eq!(
        decode(23, &i32::MIN.to_be_bytes()),
        Ok(Value::Int(i32::MIN.into()))
    );
    assert_eq!(
        decode(20, &i64::MAX.to_be_bytes()),
        Ok(Value::Int(i64::MAX))
    );
    assert_eq!(decode(700, &1.5_f32.to_be_bytes()), Ok(Value::Float(1.5)));
    assert_eq!(
        decode(701, &(-0.25_f64).to_be_bytes()),
        Ok(Value::Double(-0.25))
    );
    for oid in [16, 20, 21, 23, 700, 701, 1082, 1083, 1114, 1184, 1700, 2950] {
        assert_eq!(
            decode(oid, &[1, 2, 3]),
            Err(Undecodable::Malformed),
            "{oid}"
        );
    }
}

#[test]
fn texts() {
    for oid in [19, 25, 114, 1043] {
        assert_eq!(decode(oid, "é ".as_bytes()), Ok(Value::Text("é ")), "{oid}");
        assert_eq!(decode(oid, &[0xff]), Err(Undecodable::Encoding), "{oid}");
    }
    assert_eq!(decode(1042, b" a  "), Ok(Value::Text(" a")));
    assert_eq!(decode(1042, b"   "), Ok(Value::Text("")));
    assert_eq!(decode(18, b"x"), Ok(Value::Text("x")));
    assert_eq!(decode(18, &[0]), Ok(Value::Text("")));
    assert_eq!(decode(18, &[0x80]), Err(Undecodable::Encoding));
    assert_eq!(decode(18, b""), Err(Undecodable::Malformed));
    assert_eq!(decode(3802, b"\x01{}"), Ok(Value::Text("{}")));
    assert_eq!(decode(3802, b"\x02{}"), Err(Undecodable::Malformed));
    assert_eq!(decode(17, &[0, 255]), Ok(Value::Bytes(&[0, 255])));
    assert_eq!(decode(2950, &[7; 16]), Ok(Value::Uuid([7; 16])));
    assert_eq!(decode(16, &[1]), Ok(Value::Bool(true)));
    assert_eq!(decode(16, &[2]), Err(Undecodable::Malformed));
}

#[test]
fn times() {
    assert_eq!(decode(1082, &0_i32.to_be_bytes()), Ok(Value::Date(10_957)));
    assert_eq!(
        decode(1082, &i32::MAX.to_be_bytes()),
        Err(Undecodable::NotFinite)
    );
    assert_eq!(
        decode(1082, &(i32::MAX - 1).to_be_bytes()),
        Err(Undecodable::TooWide)
    );
    assert_eq!(decode(1083, &1_i64.to_be_bytes()), Ok(Value::Time(1)));
    assert_eq!(
        decode(1083, &DAY_US.to_be_bytes()),
        Err(Undecodable::TooWide)
    );
    assert_eq!(
        decode(1083, &(-1_i64).to_be_bytes()),
        Err(Undecodable::Malformed)
    );
    let us = 946_684_800_000_000;
    assert_eq!(
        decode(1114, &0_i64.to_be_bytes()),
        Ok(Value::LocalTimestamp(us))
    );
    assert_eq!(
        decode(1184, &(-1_i64).to_be_bytes()),
        Ok(Value::Timestamp(us - 1))
    );
    assert_eq!(
        decode(1184, &i64::MIN.to_be_bytes()),
        Err(Undecodable::NotFinite)
    );
    assert_eq!(
        decode(1114, &(i64::MAX - 1).to_be_bytes()),
        Err(Undecodable::TooWide)
    );
}

#[test]
fn numerics() {
    assert_eq!(numeric(&wire_numeric(0, 0, 0, &[])), decimal(0, 0));
    assert_eq!(numeric(&wire_numeric(0, 0, 2, &[])), decimal(0, 2));
    assert_eq!(
        numeric(&wire_numeric(0, 0, 2, &[12, 3400])),
        decimal(1234, 2)
    );
    assert_eq!(
        numeric(&wire_numeric(0, 0x4000, 1, &[1, 5000])),
        decimal(-15, 1)
    );
    assert_eq!(numeric(&wire_numeric(1, 0, 0, &[1])), decimal(10_000, 0));
    assert_eq!(numeric(&wire_numeric(-2, 0, 6, &[1200])), decimal(12, 6));
    assert_eq!(numeric(&wire_numeric(-1, 0, 8, &[1])), decimal(10_000, 8));
    for special in [0xC000, 0xD000, 0xF000] {
        assert_eq!(
            numeric(&wire_numeric(0, special, 0, &[])),
            Err(Undecodable::NotFinite)
        );
    }
    assert_eq!(
        numeric(&wire_numeric(0, 1, 0, &[])),
        Err(Undecodable::Malformed)
    );
    assert_eq!(
        numeric(&wire_numeric(0, 0, 0, &[10_000])),
        Err(Undecodable::Malformed)
    );
    assert_eq!(
        numeric(&wire_numeric(0, 0, 0, &[1, 1])),
        Err(Undecodable::Malformed)
    );
    let nines = [99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999];
    assert_eq!(
        numeric(&wire_numeric(9, 0, 0, &nines)),
        decimal(10_i128.pow(38) - 1, 0)
    );
    assert_eq!(
        numeric(&wire_numeric(9, 0, 0, &[100])),
        Err(Undecodable::TooWide)
    );
    assert_eq!(
        numeric(&wire_numeric(i16::MAX, 0, 0, &[1])),
        Err(Undecodable::TooWide)
    );
    assert_eq!(
        numeric(&wire_numeric(0, 0, 39, &[1])),
        Err(Undecodable::TooWide)
    );
    assert_eq!(
        column(1700, (12 << 16 | 2) + 4).unwrap().0,
        ValueType::Decimal(Some((12, 2)))
    );
    assert_eq!(
        column(1700, (5 << 16 | 0x7fe) + 4).unwrap().0,
        ValueType::Decimal(Some((5, -2)))
    );
    assert_eq!(column(1700, -1).unwrap().0, ValueType::Decimal(None));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), typmod in any::<i32>()) {
        for oid in 0..4000 {
            if let Some((_, decoder)) = column(oid, typmod) {
                let _ = decoder(&bytes);
            }
        }
    }

    #[test]
    fn no_numeric_panics(
        weight in any::<i16>(), sign in prop_oneof![Just(0_u16), Just(0x4000), any::<u16>()],
        scale in prop_oneof![0_u16..50, any::<u16>()],
        digits in proptest::collection::vec(prop_oneof![0_u16..10_000, any::<u16>()], 0..14),
    ) {
        let _ = numeric(&wire_numeric(weight, sign, scale, &digits));
    }

    #[test]
    fn every_decimal_of_38_digits_arrives(
        mantissa in -(10_i128.pow(38) - 1)..10_i128.pow(38), scale in 0_u8..=38, few in 0_u32..38,
    ) {
        let mantissa = mantissa / 10_i128.pow(few);
        // Written as the server does: groups of four from the point, without zeros at either end.
        let all = format!("{:0>width$}", mantissa.unsigned_abs(), width = usize::from(scale) + 1);
        let (whole, part) = all.split_at(all.len() - usize::from(scale));
        let whole = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
        let part = format!("{part}{}", "0".repeat((4 - part.len() % 4) % 4));
        let mut weight = (whole.len() / 4) as i16 - 1;
        let mut digits: Vec<u16> = (whole + &part).as_bytes().chunks(4)
            .map(|four| std::str::from_utf8(four).unwrap().parse().unwrap()).collect();
        while digits.first() == Some(&0) { digits.remove(0); weight -= 1; }
        while digits.last() == Some(&0) { digits.pop(); }
        if digits.is_empty() { weight = 0; }
        let sign = if mantissa < 0 { 0x4000 } else { 0 };
        let wire = wire_numeric(weight, sign, scale.into(), &digits);
        prop_assert_eq!(numeric(&wire), decimal(mantissa, scale));
    }
}
