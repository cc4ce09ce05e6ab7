//! Which column types become which field types: only where nothing can be lost.

use onramp_connector::ValueType;
use onramp_finding::{Code, codes::mapping};
use onramp_language::{Fallback, Lookup, Otherwise, Parse, Scalar, Spanned};

use crate::convert::Convert;
use crate::text_time::TextTime;

/// A conversion that is refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: &'static Code,
    pub(crate) reason: String,
    pub(crate) fix: String,
}

fn refused(reason: &str, fix: &str) -> Refused {
    Refused {
        code: &mapping::TYPE_MISMATCH,
        reason: reason.to_owned(),
        fix: fix.to_owned(),
    }
}

/// The conversion of a given type (None: null alone) to a field's, and whether it is one to one.
pub(crate) fn choose(
    given: Option<&ValueType>,
    wanted: Scalar,
    parse: Option<&Parse>,
) -> Result<(Convert, bool), Refused> {
    use ValueType as From;
    if let Some(parse) = parse {
        return parsed(given, wanted, parse).map(|convert| (convert, false));
    }
    // Null alone suits every type.
    let Some(given) = given else {
        return Ok((Convert::Text, false));
    };
    let convert = match (given, wanted) {
        (From::Bool, Scalar::Boolean) => Convert::Bool,
        (From::Int(16 | 32), Scalar::Int) => Convert::Int,
        (From::Int(_), Scalar::Long) => Convert::Long,
        (From::Int(_), Scalar::Int) => {
            return Err(refused("64 bits do not fit 32", "make the field a long"));
        }
        (From::Int(16), Scalar::Float) | (From::Float, Scalar::Float) => Convert::Float,
        (From::Int(16 | 32) | From::Float | From::Double, Scalar::Double) => Convert::Double,
        (From::Double, Scalar::Float) => {
            return Err(refused(
                "a float has fewer digits than a double",
                "make the field a double",
            ));
        }
        (From::Int(bits), Scalar::Decimal { precision, scale }) => {
            let digits = match bits {
                16 => 5,
                32 => 10,
                _ => 19,
            };
            if precision - scale.min(precision) < digits {
                return Err(refused(
                    &format!("the column has up to {digits} digits before the point"),
                    &format!("make the field a decimal({},{scale})", digits + scale),
                ));
            }
            Convert::Decimal { precision, scale }
        }
        (From::Decimal(Some((p, s))), Scalar::Decimal { precision, scale }) => {
            let before = i32::from(*p) - i32::from(*s);
            if i32::from(*s) > scale.into() || before > i32::from(precision) - i32::from(scale) {
                let scale = (*s).max(scale.into());
                return Err(refused(
                    "the column has more digits than the field",
                    &format!(
                        "make the field a decimal({},{scale})",
                        before + i32::from(scale)
                    ),
                ));
            }
            Convert::Decimal { precision, scale }
        }
        (From::Decimal(None), Scalar::Decimal { precision, scale }) => {
            Convert::Decimal { precision, scale }
        }
        (From::Decimal(Some((p, s))), Scalar::Int) if *s <= 0 && whole(*p, *s) <= 9 => Convert::Int,
        (From::Decimal(Some((p, s))), Scalar::Long) if *s <= 0 && whole(*p, *s) <= 18 => {
            Convert::Long
        }
        (From::Text | From::Enum(_) | From::Json, Scalar::String) => Convert::Text,
        (From::Json, Scalar::Json) => Convert::Text,
        (From::Bytes, Scalar::Bytes) => Convert::Bytes,
        (From::Date, Scalar::Date) => Convert::Date,
        (From::Time, Scalar::Time) => Convert::Time,
        (From::LocalTimestamp, Scalar::LocalTimestamp) => Convert::LocalTimestamp,
        (From::Timestamp, Scalar::Timestamp) => Convert::Timestamp,
        (From::Uuid, Scalar::Uuid) => Convert::Uuid,
        // Two spellings of one UUID are two texts.
        (From::Text, Scalar::Uuid) => return Ok((Convert::Uuid, false)),
        (From::Text, Scalar::Date | Scalar::Time | Scalar::LocalTimestamp | Scalar::Timestamp) => {
            return Err(refused(
                "text is read as a date or time by a stated format only",
                "say parse, e.g. parse: \"%Y-%m-%d\"",
            ));
        }
        (From::LocalTimestamp, Scalar::Timestamp) => {
            return Err(refused(
                "the column does not say its time zone",
                "make the field a local-timestamp",
            ));
        }
        (_, Scalar::String) => {
            return Err(refused(
                "a value becomes text only where the file says so",
                "convert with expr, e.g. expr: string(row.COLUMN)",
            ));
        }
        _ => {
            return Err(refused(
                "there is no conversion between these types without loss",
                "choose another type, or convert with expr",
            ));
        }
    };
    Ok((convert, true))
}

/// Digits before the point.
fn whole(precision: u16, scale: i16) -> i32 {
    i32::from(precision) - i32::from(scale)
}

fn parsed(given: Option<&ValueType>, wanted: Scalar, parse: &Parse) -> Result<Convert, Refused> {
    if given != Some(&ValueType::Text) {
        return Err(refused("parse reads text columns alone", "leave parse out"));
    }
    match wanted {
        Scalar::Date | Scalar::Time | Scalar::LocalTimestamp | Scalar::Timestamp => {
            Ok(Convert::Parsed(TextTime::new(parse)))
        }
        _ => Err(refused(
            "parse gives a date, time, timestamp or local-timestamp",
            "leave parse out, or choose one of these types",
        )),
    }
}

/// Whether a given type can hold a lookup's codes.
pub(crate) fn to_lookup(given: Option<&ValueType>, lookup: &Lookup) -> Result<(), Refused> {
    let codes: Vec<&str> = lookup.entries.iter().map(|(code, _)| &**code).collect();
    // A file may list more codes than this column has labels.
    let of_this: Vec<&str> = match given {
        Some(ValueType::Enum(labels)) => codes
            .into_iter()
            .filter(|code| labels.iter().any(|label| label == code))
            .collect(),
        _ => codes,
    };
    to_codes(given, &of_this, matches!(lookup.otherwise, Fallback::Fail))
}

/// Whether a given type can hold an enum's codes.
pub(crate) fn to_enum(
    given: Option<&ValueType>,
    values: &[(Spanned<String>, Spanned<String>)],
    otherwise: &Otherwise,
) -> Result<(), Refused> {
    let codes: Vec<&str> = values.iter().map(|(code, _)| code.as_str()).collect();
    to_codes(given, &codes, matches!(otherwise, Otherwise::Fail))
}

fn to_codes(given: Option<&ValueType>, values: &[&str], all: bool) -> Result<(), Refused> {
    let codes = |reason: String, fix: &str| Refused {
        code: &mapping::CODES,
        reason,
        fix: fix.to_owned(),
    };
    let listed = |code: &str| values.contains(&code);
    match given {
        None | Some(ValueType::Text) => Ok(()),
        Some(ValueType::Int(_)) => match values
            .iter()
            .find(|c| c.parse::<i64>().map(|n| n.to_string()).ok().as_deref() != Some(**c))
        {
            None => Ok(()),
            Some(code) => Err(codes(
                format!("the column holds numbers, and {code:?} is none"),
                "write the codes as the numbers that the column holds",
            )),
        },
        Some(ValueType::Bool) => match values.iter().find(|c| !matches!(**c, "true" | "false")) {
            None => Ok(()),
            Some(code) => Err(codes(
                format!("the column holds true or false, and {code:?} is neither"),
                "write \"true\" and \"false\"",
            )),
        },
        Some(ValueType::Enum(labels)) => {
            let known = |code: &str| labels.iter().any(|label| label == code);
            if let Some(code) = values.iter().find(|c| !known(c)) {
                return Err(codes(
                    format!("the column's type has no label {code:?}"),
                    "write the codes as the type's labels",
                ));
            }
            match labels.iter().find(|label| !listed(label)) {
                Some(label) if all => Err(codes(
                    format!("the label {label:?} of the column's type is not listed"),
                    mapping::CODES.remedy,
                )),
                _ => Ok(()),
            }
        }
        Some(_) => Err(refused(
            "codes are text, whole numbers or truth values",
            "choose another type, or convert with expr",
        )),
    }
}

#[cfg(test)]
mod tests {
    use onramp_expression::Type;
    use onramp_language::Scalar::{self, *};

    use super::choose;

    /// What is refused of an expression before its table is known is what is refused with it.
    #[test]
    fn an_expression_gives_what_the_language_says() {
        let decimal = |precision, scale| Decimal { precision, scale };
        let fields: [Scalar; 16] = [
            Boolean,
            Int,
            Long,
            Float,
            Double,
            String,
            Bytes,
            Date,
            Timestamp,
            LocalTimestamp,
            Time,
            Uuid,
            Json,
            decimal(12, 2),
            decimal(20, 2),
            decimal(21, 2),
        ];
        let types = [
            Type::Bool,
            Type::Int,
            Type::Double,
            Type::Decimal,
            Type::String,
            Type::Bytes,
            Type::Date,
            Type::Time,
            Type::LocalTimestamp,
            Type::Timestamp,
            Type::Uuid,
        ];
        for field in fields {
            for r#type in &types {
                let given = r#type.of_values();
                assert_eq!(
                    choose(given.as_ref(), field, None).is_ok(),
                    field.from_expressions().contains(r#type),
                    "{field:?} {type}"
                );
            }
        }
    }
}
