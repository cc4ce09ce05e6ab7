//! Exact decimals: compared, added, subtracted, multiplied, read and written without loss.

use std::cmp::Ordering;

use onramp_connector::Decimal;

/// What an exact decimal carries.
const MAX_DIGITS: u32 = 38;

fn power(of: u32) -> Option<i128> {
    10i128.checked_pow(of)
}

/// The mantissa at a larger scale; None where it does not fit.
fn scaled(mantissa: i128, by: u8) -> Option<i128> {
    if mantissa == 0 {
        return Some(0);
    }
    mantissa.checked_mul(power(u32::from(by))?)
}

/// By value: 1.5 equals 1.50.
pub(crate) fn compare(a: Decimal, b: Decimal) -> Ordering {
    match a.scale.cmp(&b.scale) {
        Ordering::Equal => a.mantissa.cmp(&b.mantissa),
        Ordering::Greater => compare(b, a).reverse(),
        Ordering::Less => match scaled(a.mantissa, b.scale - a.scale) {
            Some(mantissa) => mantissa.cmp(&b.mantissa),
            // What does not fit is further from zero than anything that does.
            None => a.mantissa.cmp(&0),
        },
    }
}

/// Without zeros at its end.
fn stripped(mut d: Decimal) -> Decimal {
    while d.scale > 0 && d.mantissa % 10 == 0 {
        d.mantissa /= 10;
        d.scale -= 1;
    }
    d
}

fn bounded(d: Decimal) -> Option<Decimal> {
    let fits = |d: &Decimal| {
        u32::from(d.scale) <= MAX_DIGITS && power(MAX_DIGITS).is_some_and(|p| d.mantissa.abs() < p)
    };
    if d.mantissa == i128::MIN {
        return None;
    }
    Some(d)
        .filter(fits)
        .or_else(|| Some(stripped(d)).filter(fits))
}

pub(crate) fn negate(d: Decimal) -> Option<Decimal> {
    Some(Decimal {
        mantissa: d.mantissa.checked_neg()?,
        ..d
    })
}

/// The sum, exact; None where it does not fit.
pub(crate) fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    sum(a, b).or_else(|| sum(stripped(a), stripped(b)))
}

fn sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let scale = a.scale.max(b.scale);
    let a = scaled(a.mantissa, scale - a.scale)?;
    let b = scaled(b.mantissa, scale - b.scale)?;
    bounded(Decimal {
        mantissa: a.checked_add(b)?,
        scale,
    })
}

pub(crate) fn subtract(a: Decimal, b: Decimal) -> Option<Decimal> {
    add(a, negate(b)?)
}

/// The product, exact; None where it does not fit.
pub(crate) fn multiply(a: Decimal, b: Decimal) -> Option<Decimal> {
    product(a, b).or_else(|| product(stripped(a), stripped(b)))
}

fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    bounded(Decimal {
        mantissa: a.mantissa.checked_mul(b.mantissa)?,
        scale: a.scale.checked_add(b.scale)?,
    })
}

/// The whole part, as `int()` gives it.
pub(crate) fn truncated(d: Decimal) -> Option<i64> {
    match power(u32::from(d.scale)) {
        Some(power) => i64::try_from(d.mantissa / power).ok(),
        None => Some(0),
    }
}

/// Sign, digits, perhaps a point and digits.
pub(crate) fn parse(text: &str) -> Option<Decimal> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (digits, ""),
    };
    if whole.is_empty() || fraction.len() > MAX_DIGITS as usize {
        return None;
    }
    let mut mantissa = 0i128;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        mantissa = mantissa
            .checked_mul(10)?
            .checked_add(i128::from(byte - b'0'))?;
    }
    bounded(Decimal {
        mantissa: if negative { -mantissa } else { mantissa },
        scale: fraction.len() as u8,
    })
}

/// Writes it with all the digits of its scale.
pub(crate) fn write(d: Decimal, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    let sign = if d.mantissa < 0 { "-" } else { "" };
    let digits = d.mantissa.unsigned_abs();
    let scale = usize::from(d.scale);
    match 10u128.checked_pow(u32::from(d.scale)) {
        _ if scale == 0 => write!(out, "{sign}{digits}"),
        Some(power) => write!(out, "{sign}{}.{:0scale$}", digits / power, digits % power),
        None => write!(out, "{sign}0.{digits:0scale$}"),
    }
}
