//! How names, durations, sizes and types are spelt, and what they mean.

use std::time::Duration;

use crate::{ProductName, Scalar};

fn begins(text: &str, first: fn(char) -> bool, rest: fn(char) -> bool) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(first) && chars.all(rest)
}

/// `[A-Za-z_][A-Za-z0-9_]*`
pub(crate) fn avro_name(text: &str) -> bool {
    begins(
        text,
        |c| c.is_ascii_alphabetic() || c == '_',
        |c| c.is_ascii_alphanumeric() || c == '_',
    )
}

/// `[A-Z][A-Za-z0-9]*`
pub(super) fn event_name(text: &str) -> bool {
    begins(
        text,
        |c| c.is_ascii_uppercase(),
        |c| c.is_ascii_alphanumeric(),
    )
}

fn lower_word(text: &str, extra: char) -> bool {
    begins(text, |c| c.is_ascii_lowercase(), |_| true)
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == extra)
}

pub(super) fn gateway_name(text: &str) -> bool {
    lower_word(text, '_') && text.len() <= 41
}

/// Whether a key of protection may be called so. What encrypted values begin with is held against it,
/// too: the name stands in each of them.
pub fn is_a_key_name(text: &str) -> bool {
    lower_word(text, '_') && text.len() <= 64
}

pub(super) fn slot_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A product's name in its parts.
pub(crate) fn product_name(text: &str) -> Option<ProductName> {
    // A topic's name is at most 249 characters long.
    if text.len() > 200 {
        return None;
    }
    let mut parts = text.split('.');
    let (domain, name, version) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = version.strip_prefix('v')?;
    let fits = parts.next().is_none()
        && lower_word(domain, '-')
        && lower_word(name, '-')
        && (1..=9).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| ProductName {
        domain: domain.to_owned(),
        name: name.to_owned(),
        version: digits.parse().unwrap_or(0),
    })
}

/// `schema.table`.
pub(crate) fn table(text: &str) -> Option<(String, String)> {
    let (schema, table) = text.split_once('.')?;
    let fits =
        !schema.is_empty() && !table.is_empty() && !table.contains('.') && !text.contains('"');
    fits.then(|| (schema.to_owned(), table.to_owned()))
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..at].parse().ok()?, &text[at..]))
}

/// `100ms`, `5s`, `2m`, `1h`, `7d`; at most a hundred years.
pub fn duration(text: &str) -> Option<Duration> {
    let (n, unit) = number_and_unit(text)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let ms = n.checked_mul(unit_ms)?;
    (1..=100 * 366 * 86_400_000)
        .contains(&ms)
        .then(|| Duration::from_millis(ms))
}

/// `512B`, `64KiB`, `8MiB`, `1GiB`; at most 64 GiB.
pub(crate) fn size(text: &str) -> Option<usize> {
    let (n, unit) = number_and_unit(text)?;
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    let bytes = n.checked_mul(1 << shift)?;
    (1..=64 << 30)
        .contains(&bytes)
        .then_some(bytes)
        .and_then(|b| usize::try_from(b).ok())
}

/// A type of one value.
pub(crate) fn scalar(text: &str) -> Option<Scalar> {
    if let Some(inside) = text
        .strip_prefix("decimal(")
        .and_then(|t| t.strip_suffix(')'))
    {
        let (precision, scale) = inside.split_once(',')?;
        let plain = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !plain(precision) || !plain(scale) {
            return None;
        }
        let (precision, scale) = (precision.parse().ok()?, scale.parse().ok()?);
        return ((1..=38).contains(&precision) && scale <= precision)
            .then_some(Scalar::Decimal { precision, scale });
    }
    Some(match text {
        "boolean" => Scalar::Boolean,
        "int" => Scalar::Int,
        "long" => Scalar::Long,
        "float" => Scalar::Float,
        "double" => Scalar::Double,
        "string" => Scalar::String,
        "bytes" => Scalar::Bytes,
        "date" => Scalar::Date,
        "timestamp" => Scalar::Timestamp,
        "local-timestamp" => Scalar::LocalTimestamp,
        "time" => Scalar::Time,
        "uuid" => Scalar::Uuid,
        "json" => Scalar::Json,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_name_is_bounded() {
        assert!(is_a_key_name("pii_2026") && is_a_key_name(&"k".repeat(64)));
        for wrong in ["", "2026", "_pii", "pii-2026", "Pii", &"k".repeat(65)] {
            assert!(!is_a_key_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn names_keep_to_their_patterns() {
        let name = product_name("commerce.order-lines.v12").unwrap();
        assert_eq!(
            (name.domain.as_str(), name.name.as_str(), name.version),
            ("commerce", "order-lines", 12)
        );
        for wrong in [
            "a.b",
            "a.b.1",
            "a.b.v0",
            "a.b.v01",
            "a.b.c.v1",
            "A.b.v1",
            "a.1b.v1",
            "a..v1",
            "a.b_c.v1",
            "a.b.v1234567890",
        ] {
            assert!(product_name(wrong).is_none(), "{wrong}");
        }
        assert!(
            gateway_name("legacy_shop") && !gateway_name("9shop") && !gateway_name(&"a".repeat(42))
        );
        assert!(avro_name("_a1") && !avro_name("1a") && !avro_name("ä") && !avro_name(""));
    }

    #[test]
    fn quantities_have_their_unit() {
        assert_eq!(duration("100ms"), Some(Duration::from_millis(100)));
        assert_eq!(duration("7d"), Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(size("8MiB"), Some(8 << 20));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "1.5s",
            "5S",
            "0s",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert!(duration(wrong).is_none(), "{wrong}");
        }
        for wrong in ["5", "5MB", "0B", "65GiB", "18446744073709551615GiB"] {
            assert!(size(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_decimal_says_precision_and_scale() {
        assert_eq!(
            scalar("decimal(38,38)"),
            Some(Scalar::Decimal {
                precision: 38,
                scale: 38
            })
        );
        for wrong in [
            "decimal",
            "decimal(0,0)",
            "decimal(39,0)",
            "decimal(2,3)",
            "decimal(12, 2)",
            "decimal(+1,0)",
            "decimal(12)",
            "decimal(999,2)",
        ] {
            assert!(scalar(wrong).is_none(), "{wrong}");
        }
    }
}
