//! A field's value as Avro's binary form and as a key's text.

use std::io::{self, Write};

use onramp_connector::{Decimal, Elements, Value};

use crate::base64url::{encode_in_place, encoded_len};
use crate::convert::Out;
use crate::text_time::civil_from_days;

/// Avro's variable-length zigzag number.
#[inline]
pub(crate) fn number(value: i64, out: &mut Vec<u8>) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

#[inline]
fn bytes(value: &[u8], out: &mut Vec<u8>) {
    number(value.len() as i64, out);
    out.extend_from_slice(value);
}

/// The mantissa's shortest two's complement form, big-endian.
#[inline]
fn decimal(value: Decimal, out: &mut Vec<u8>) {
    let all = value.mantissa.to_be_bytes();
    let mut start = 0;
    while start < 15 {
        let redundant = match all[start] {
            0x00 => all[start + 1] & 0x80 == 0,
            0xff => all[start + 1] & 0x80 != 0,
            _ => false,
        };
        if !redundant {
            break;
        }
        start += 1;
    }
    bytes(&all[start..], out);
}

/// The mantissa's two's complement form in so many bytes, big-endian.
fn fixed(value: Decimal, size: usize, out: &mut Vec<u8>) {
    let all = value.mantissa.to_be_bytes();
    let sign = if value.mantissa < 0 { 0xff } else { 0 };
    out.extend(std::iter::repeat_n(sign, size.saturating_sub(all.len())));
    out.extend_from_slice(&all[all.len().saturating_sub(size)..]);
}

/// Writes a value in Avro's binary form; a null is nothing, its union's branch is the caller's.
#[inline]
pub(crate) fn avro(value: &Out<'_>, out: &mut Vec<u8>) {
    match value {
        // What has parts is written by itself.
        Out::Null | Out::Many(_) | Out::Elements(_) => {}
        Out::Bool(v) => out.push(u8::from(*v)),
        Out::Int(v) | Out::Date(v) => number((*v).into(), out),
        Out::Long(v) | Out::Time(v) | Out::LocalTimestamp(v) | Out::Timestamp(v) => number(*v, out),
        Out::Symbol(index, _) => number((*index).into(), out),
        Out::Float(v) => out.extend_from_slice(&v.to_le_bytes()),
        Out::Double(v) => out.extend_from_slice(&v.to_le_bytes()),
        Out::Text(v) => bytes(v.as_bytes(), out),
        Out::Bytes(v) => bytes(v, out),
        Out::Decimal(v) => decimal(*v, out),
        Out::Fixed(v, size) => fixed(*v, (*size).into(), out),
        Out::Uuid(v) => bytes(&uuid(v), out),
        Out::Pseudonym(key, digest) => {
            number(key.len() as i64 + 1 + BASE64URL_BYTES as i64, out);
            out.extend_from_slice(key.as_bytes());
            out.push(b':');
            out.extend_from_slice(&base64url(digest));
        }
    }
}

/// Writes a value's text: what a key, a subject and a pseudonym are made of. Equal values give
/// equal texts, different values of one field different ones.
pub(crate) fn text<W: Write>(value: &Out<'_>, out: &mut W) -> io::Result<()> {
    match value {
        // No key holds what has parts, and no text is made of it.
        Out::Null | Out::Many(_) => Ok(()),
        Out::Elements(v) => elements(v, out),
        Out::Bool(v) => write!(out, "{v}"),
        Out::Int(v) => write!(out, "{v}"),
        Out::Long(v) => write!(out, "{v}"),
        Out::Float(v) => write!(out, "{v}"),
        Out::Double(v) => write!(out, "{v}"),
        Out::Text(v) | Out::Symbol(_, v) => out.write_all(v.as_bytes()),
        Out::Bytes(v) => v.iter().try_for_each(|b| write!(out, "{b:02x}")),
        Out::Decimal(v) | Out::Fixed(v, _) => decimal_text(*v, out),
        Out::Date(v) => date_text((*v).into(), out),
        Out::Time(v) => time_text(*v, out),
        Out::LocalTimestamp(v) => moment_text(*v, out),
        Out::Timestamp(v) => {
            moment_text(*v, out)?;
            out.write_all(b"Z")
        }
        Out::Uuid(v) => out.write_all(&uuid(v)),
        Out::Pseudonym(key, digest) => {
            out.write_all(key.as_bytes())?;
            out.write_all(b":")?;
            out.write_all(&base64url(digest))
        }
    }
}

/// Writes a value as an element of a JSON array.
pub(crate) fn json(value: &Out<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    match value {
        Out::Null => out.write_all(b"null"),
        Out::Bool(_) | Out::Int(_) | Out::Long(_) | Out::Elements(_) => text(value, out),
        Out::Text(v) | Out::Symbol(_, v) => serde_json::to_writer(out, v).map_err(io::Error::from),
        // Nothing in these texts needs an escape.
        _ => {
            out.push(b'"');
            text(value, out)?;
            out.push(b'"');
            Ok(())
        }
    }
}

/// An array as JSON; what of it cannot be decoded is null.
fn elements<W: Write>(elements: &Elements<'_>, out: &mut W) -> io::Result<()> {
    let mut list = vec![b'['];
    for (n, element) in elements.iter().enumerate() {
        if n > 0 {
            list.push(b',');
        }
        json(&Out::of_column(element.unwrap_or(Value::Null)), &mut list)?;
    }
    list.push(b']');
    out.write_all(&list)
}

fn decimal_text<W: Write>(v: Decimal, out: &mut W) -> io::Result<()> {
    if v.mantissa < 0 {
        out.write_all(b"-")?;
    }
    let digits = v.mantissa.unsigned_abs();
    if v.scale == 0 {
        return write!(out, "{digits}");
    }
    let scale = v.scale as usize;
    let unit = 10u128.checked_pow(scale as u32).unwrap_or(u128::MAX);
    write!(out, "{}.{:0scale$}", digits / unit, digits % unit)
}

fn date_text<W: Write>(days: i64, out: &mut W) -> io::Result<()> {
    let (year, month, day) = civil_from_days(days);
    if (0..=9999).contains(&year) {
        write!(out, "{year:04}-{month:02}-{day:02}")
    } else {
        write!(out, "{year:+07}-{month:02}-{day:02}")
    }
}

fn time_text<W: Write>(micros: i64, out: &mut W) -> io::Result<()> {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (minutes, second) = (seconds / 60, seconds % 60);
    write!(out, "{:02}:{:02}:{second:02}", minutes / 60, minutes % 60)?;
    if fraction != 0 {
        write!(out, ".{fraction:06}")?;
    }
    Ok(())
}

fn moment_text<W: Write>(micros: i64, out: &mut W) -> io::Result<()> {
    date_text(micros.div_euclid(86_400_000_000), out)?;
    out.write_all(b"T")?;
    time_text(micros.rem_euclid(86_400_000_000), out)
}

#[inline]
fn uuid(v: &[u8; 16]) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut out = [b'-'; 36];
    let mut at = 0;
    for (n, byte) in v.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            at += 1;
        }
        out[at] = HEX[(byte >> 4) as usize];
        out[at + 1] = HEX[(byte & 15) as usize];
        at += 2;
    }
    out
}

const BASE64URL_BYTES: usize = encoded_len(32);

fn base64url(digest: &[u8; 32]) -> [u8; BASE64URL_BYTES] {
    let mut out = [0; BASE64URL_BYTES];
    out[BASE64URL_BYTES - digest.len()..].copy_from_slice(digest);
    encode_in_place(&mut out, digest.len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: Out<'_>) -> String {
        let mut out = Vec::new();
        text(&value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_canonical() {
        let d = |mantissa, scale| Out::Decimal(Decimal { mantissa, scale });
        assert_eq!(shown(d(-5, 2)), "-0.05");
        assert_eq!(shown(d(1250, 2)), "12.50");
        assert_eq!(shown(d(-7, 0)), "-7");
        assert_eq!(shown(Out::Date(0)), "1970-01-01");
        assert_eq!(shown(Out::Date(-1)), "1969-12-31");
        assert_eq!(shown(Out::Date(2_932_897)), "+010000-01-01");
        assert_eq!(shown(Out::Timestamp(-1)), "1969-12-31T23:59:59.999999Z");
        assert_eq!(shown(Out::LocalTimestamp(0)), "1970-01-01T00:00:00");
        assert_eq!(
            shown(Out::Uuid(
                *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef"
            )),
            "01234567-89ab-cdef-0123-456789abcdef"
        );
        let all = base64url(&[0xff; 32]);
        assert_eq!(&all[..42], &[b'_'; 42][..]);
        assert_eq!(all[42], b'8');
    }

    #[test]
    fn json_keys_are_escaped() {
        let mut out = Vec::new();
        json(&Out::Text("a\"b"), &mut out).unwrap();
        json(&Out::Date(0), &mut out).unwrap();
        json(&Out::Long(-3), &mut out).unwrap();
        assert_eq!(out, b"\"a\\\"b\"\"1970-01-01\"-3");
    }
}
