//! JSON of a type's values, each spelt in one of many ways, and what Avro's own reader finds of it.

use serde_json::{Map, Value as Json, json};

use super::{Dice, Type};

impl Type {
    /// JSON of one of its values, spelt in one of many ways, and the value as Avro has it.
    pub(crate) fn value(&self, dice: &mut Dice) -> (String, Json) {
        match self {
            Type::Nullable(solid, last) => {
                if dice.one_in(3) {
                    return (
                        "null".into(),
                        json!({"branch": u8::from(*last), "is": null}),
                    );
                }
                let (text, is) = solid.value(dice);
                (text, json!({"branch": u8::from(!*last), "is": is}))
            }
            Type::Again(record) => record.value(dice),
            Type::Boolean => {
                let is = dice.one_in(2);
                (is.to_string(), json!(is))
            }
            Type::Int => whole(dice.number(32) as i64, dice),
            Type::Long => match dice.below(8) {
                0 => (i64::MAX.to_string(), json!(i64::MAX)),
                1 => (i64::MIN.to_string(), json!(i64::MIN)),
                _ => whole(dice.number(64) as i64, dice),
            },
            Type::Float => loop {
                let is = f32::from_bits(dice.next() as u32);
                if is.is_finite() {
                    let text = match dice.below(3) {
                        0 => format!("{is:e}"),
                        1 => format!("{:e}", f64::from(is)),
                        _ => format!("{is}"),
                    };
                    return (text, json!(is.to_bits()));
                }
            },
            Type::Double => loop {
                let is = f64::from_bits(dice.next());
                if is.is_finite() {
                    let text = if dice.one_in(2) {
                        format!("{is:E}")
                    } else {
                        format!("{is}")
                    };
                    return (text, json!(is.to_bits()));
                }
            },
            Type::String => {
                let is = words(dice);
                (spelt(&is, dice), json!(is))
            }
            Type::Uuid => {
                let digits = format!("{:016x}{:016x}", dice.next(), dice.next());
                let is = [
                    &digits[..8],
                    &digits[8..12],
                    &digits[12..16],
                    &digits[16..20],
                    &digits[20..],
                ]
                .join("-");
                let text = if dice.one_in(2) {
                    is.to_uppercase()
                } else {
                    is.clone()
                };
                (spelt(&text, dice), json!(is))
            }
            Type::Decimal {
                precision,
                scale,
                fixed,
            } => decimal(
                *precision,
                *scale,
                fixed.as_ref().map(|(_, size)| *size),
                dice,
            ),
            Type::Date => {
                let days = dice.below(60_000) as i64 - 30_000;
                (spelt(&day(days), dice), json!(days))
            }
            Type::Moment(word, _, unit) => moment(word, *unit, dice),
            Type::Enum(_, symbols) => {
                let is = &symbols[dice.below(symbols.len() as u64) as usize];
                (spelt(is, dice), json!(is))
            }
            Type::Record { fields, .. } => object(fields, dice),
            Type::Array(items) => {
                let count = if dice.one_in(9) { 70 } else { dice.below(4) };
                let all: Vec<(String, Json)> = (0..count).map(|_| items.value(dice)).collect();
                let texts: Vec<&str> = all.iter().map(|(text, _)| text.as_str()).collect();
                let text = format!("[{}]", texts.join(" ,\n"));
                (text, all.into_iter().map(|(_, is)| is).collect())
            }
            Type::Map(values) => {
                let (mut text, mut is) = (Vec::new(), Map::new());
                for _ in 0..dice.below(4) {
                    let name = words(dice);
                    let (value, of) = values.value(dice);
                    text.push(format!("{}:{value}", spelt(&name, dice)));
                    is.insert(name, of);
                }
                (format!("{{{}}}", text.join(",")), Json::Object(is))
            }
        }
    }
}

/// In any order, with members that nobody names, nulls left out, and some names twice.
fn object(fields: &[(String, Type)], dice: &mut Dice) -> (String, Json) {
    let (mut text, mut is) = (Vec::new(), Map::new());
    for (name, field) in fields {
        let (value, of) = field.value(dice);
        is.insert(name.clone(), of);
        if value != "null" || dice.one_in(2) {
            let place = dice.below(text.len() as u64 + 1) as usize;
            text.insert(place, format!("{} : {value}", spelt(name, dice)));
        }
    }
    if dice.one_in(3) {
        let unknown = ["\"zz\": {\"a0\": [1, {}]}", "\"\": null", "\"A0\": \"x\""];
        text.insert(0, unknown[dice.below(3) as usize].to_owned());
    }
    if let (true, Some((name, _))) = (dice.one_in(4), fields.first()) {
        // What comes later counts.
        if text.iter().any(|t| !t.is_empty()) && !is[name].is_null() && is[name]["is"] != Json::Null
        {
            text.insert(0, format!("\"{name}\": [[\"no\"], 1e400]"));
        }
    }
    (format!("{{ {} }}", text.join(", ")), Json::Object(is))
}

fn whole(is: i64, dice: &mut Dice) -> (String, Json) {
    let text = match dice.below(4) {
        0 if is % 100 == 0 => format!("{}e2", is / 100),
        0 => format!("{is}.00"),
        1 if is != 0 => format!("{is}0E-1"),
        _ => is.to_string(),
    };
    (text, json!(is))
}

fn words(dice: &mut Dice) -> String {
    const SIGNS: &[char] = &[
        'a', 'Z', '0', ' ', '"', '\\', '/', '\n', '\u{0}', '\u{1f}', '\u{7f}', 'é', '\u{2028}',
        '漢', '😀', '{', ':', ',',
    ];
    let count = if dice.one_in(9) { 200 } else { dice.below(9) };
    (0..count)
        .map(|_| SIGNS[dice.below(SIGNS.len() as u64) as usize])
        .collect()
}

/// A string, of whose signs some are escaped that need not be.
fn spelt(text: &str, dice: &mut Dice) -> String {
    let mut out = String::from("\"");
    for sign in text.chars() {
        match sign {
            '"' | '\\' | '/' if dice.one_in(2) => out.extend(['\\', sign]),
            '\n' if dice.one_in(2) => out.push_str("\\n"),
            '"' | '\\' | '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", sign as u32)),
            _ if dice.one_in(8) => {
                for unit in sign.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
            _ => out.push(sign),
        }
    }
    out.push('"');
    out
}

fn decimal(precision: u8, scale: u8, size: Option<usize>, dice: &mut Dice) -> (String, Json) {
    let most = 10i128.pow(precision.into()) - 1;
    let mantissa = match dice.below(6) {
        0 => most,
        1 => -most,
        _ => dice.number(127) % (most + 1),
    };
    let mut text = format!("{mantissa}e-{scale}");
    if scale == 0 && dice.one_in(2) {
        text = mantissa.to_string();
    } else if dice.one_in(2) {
        let digits = format!(
            "{:0>width$}",
            mantissa.unsigned_abs(),
            width = usize::from(scale) + 1
        );
        let (before, behind) = digits.split_at(digits.len() - usize::from(scale));
        let sign = if mantissa < 0 { "-" } else { "" };
        text = if behind.is_empty() {
            format!("{sign}{before}")
        } else {
            format!("{sign}{before}.{behind}")
        };
    }
    let bytes = mantissa.to_be_bytes();
    let bytes = match size {
        Some(size) => {
            let sign = if mantissa < 0 { 0xff } else { 0 };
            let mut all = vec![sign; size.saturating_sub(16)];
            all.extend_from_slice(&bytes[16usize.saturating_sub(size)..]);
            all
        }
        None => {
            let short = (1..16).rev().find(|n| {
                let (front, rest) = bytes.split_at(*n);
                let negative = rest[0] & 0x80 != 0;
                front.iter().all(|b| *b == if negative { 0xff } else { 0 })
            });
            bytes[short.unwrap_or(0)..].to_vec()
        }
    };
    (
        text,
        json!(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()),
    )
}

fn day(days: i64) -> String {
    let day = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days));
    day.unwrap().to_string()
}

fn moment(word: &str, unit: i64, dice: &mut Dice) -> (String, Json) {
    let of_day = dice.below(86_400_000_000 / unit as u64) as i64;
    let us = of_day * unit;
    let (seconds, fraction) = (us / 1_000_000, us % 1_000_000);
    let mut time = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    if fraction > 0 {
        time.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    if word.starts_with("time-") {
        return (spelt(&time, dice), json!(of_day));
    }
    let days = dice.below(60_000) as i64 - 30_000;
    let mut is = days * (86_400_000_000 / unit) + of_day;
    let mut text = format!("{}T{time}", day(days));
    if !word.starts_with("local") {
        let (zone, minutes) = [("Z", 0), ("+01:30", 90), ("-11:00", -660)][dice.below(3) as usize];
        text.push_str(zone);
        is -= minutes * 60_000_000 / unit;
    }
    (spelt(&text, dice), json!(is))
}
