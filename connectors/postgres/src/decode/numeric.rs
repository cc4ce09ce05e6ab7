//! `numeric`: digits to the base of 10,000, made one exact whole number.

use onramp_connector::{Decimal, Undecodable, Value};

/// One more than the largest mantissa that is carried: 38 digits.
const LIMIT: i128 = 10_i128.pow(38);
/// The most digits behind the point that are carried.
const SCALE_MAX: u16 = 38;

/// Precision and scale of `numeric(p, s)`; None where the column declares none.
pub(super) fn declared(typmod: i32) -> Option<(u16, i16)> {
    let packed = typmod.checked_sub(4).filter(|packed| *packed >= 0)?;
    // The scale is a signed number of eleven bits.
    let scale = ((packed & 0x7ff) ^ 0x400) - 0x400;
    Some((
        u16::try_from(packed >> 16).ok()?,
        i16::try_from(scale).ok()?,
    ))
}

/// Decodes what `numeric_send` writes: count of digits, weight of the first, sign, display scale,
/// digits. The scale is the displayed one, so that 1.50 stays 1.50.
pub(crate) fn numeric(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    let (head, digits) = bytes
        .split_first_chunk::<8>()
        .ok_or(Undecodable::Malformed)?;
    let field = |n: usize| u16::from_be_bytes([head[n], head[n + 1]]);
    let (count, weight, sign, scale) = (field(0), field(2).cast_signed(), field(4), field(6));
    if digits.len() != usize::from(count) * 2 {
        return Err(Undecodable::Malformed);
    }
    let negative = match sign {
        0x0000 => false,
        0x4000 => true,
        0xC000 | 0xD000 | 0xF000 => return Err(Undecodable::NotFinite),
        _ => return Err(Undecodable::Malformed),
    };
    if scale > SCALE_MAX {
        return Err(Undecodable::TooWide);
    }
    let mantissa = mantissa(digits, weight, scale)?;
    Ok(Value::Decimal(Decimal {
        mantissa: if negative { -mantissa } else { mantissa },
        scale: scale as u8, // at most SCALE_MAX
    }))
}

/// The digits as one whole number, `scale` of them behind the point.
fn mantissa(digits: &[u8], weight: i16, scale: u16) -> Result<i128, Undecodable> {
    let mut mantissa: i128 = 0;
    // The power of ten by which what is read so far must be multiplied in the end.
    let mut exponent = (i32::from(weight) + 1) * 4 + i32::from(scale);
    for pair in digits.chunks_exact(2) {
        let digit = i128::from(u16::from_be_bytes([pair[0], pair[1]]));
        if digit > 9999 {
            return Err(Undecodable::Malformed);
        }
        // The last group may reach beyond the scale: what stands there must be zeros.
        let kept = exponent.clamp(0, 4);
        let beyond = 10_i128.pow((4 - kept).unsigned_abs());
        if digit % beyond != 0 {
            return Err(Undecodable::Malformed);
        }
        mantissa = shifted(mantissa, kept.unsigned_abs())? + digit / beyond;
        if mantissa >= LIMIT {
            return Err(Undecodable::TooWide);
        }
        exponent -= 4;
    }
    // Trailing zeros of the value are not on the wire.
    if mantissa != 0 && exponent > 0 {
        mantissa = shifted(mantissa, exponent.unsigned_abs())?;
    }
    Ok(mantissa)
}

fn shifted(mantissa: i128, digits: u32) -> Result<i128, Undecodable> {
    if mantissa == 0 {
        return Ok(0);
    }
    10_i128
        .checked_pow(digits)
        .and_then(|power| mantissa.checked_mul(power))
        .filter(|shifted| *shifted < LIMIT)
        .ok_or(Undecodable::TooWide)
}
