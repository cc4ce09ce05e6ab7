//! The types of one value that a schema has, and why the others are refused.

use serde_json::Value;

use crate::{Scalar, Unit};

/// Why a part of a schema is refused.
pub(super) struct Refused {
    pub(super) path: String,
    pub(super) what: String,
    pub(super) why: &'static str,
    pub(super) remedy: &'static str,
}

impl Refused {
    pub(super) fn new(path: &str, what: &str, remedy: &'static str) -> Refused {
        Refused {
            path: path.to_owned(),
            what: what.to_owned(),
            why: "what a JSON payload is checked against is made of the types that fields have",
            remedy,
        }
    }

    fn no_decimal(path: &str, what: &str, remedy: &'static str) -> Refused {
        Refused {
            why: "Avro's decimals say how many digits they have, and have room for them",
            ..Refused::new(path, what, remedy)
        }
    }
}

/// Null beside a type.
pub(super) struct Null {
    /// Whether it is the second of the two.
    pub(super) is_last: bool,
}

/// Null, where it may stand there, and what else.
pub(super) fn nullable<'t>(
    r#type: &'t Value,
    path: &str,
) -> Result<(Option<Null>, &'t Value), Refused> {
    match r#type.as_array().map(Vec::as_slice) {
        None => Ok((None, r#type)),
        Some([null, other]) if null == "null" && other != "null" => {
            Ok((Some(Null { is_last: false }), other))
        }
        Some([other, null]) if null == "null" && other != "null" => {
            Ok((Some(Null { is_last: true }), other))
        }
        Some(_) => Err(Refused {
            why: "which of several types a JSON value is meant to be is not said in it",
            ..Refused::new(
                path,
                "is a union other than of null and one type",
                "write `[\"null\", TYPE]`, or a field for each type",
            )
        }),
    }
}

/// A type of one value.
pub(super) struct One {
    pub(super) scalar: Scalar,
    /// What its times are counted in.
    pub(super) unit: Unit,
    /// How many bytes a decimal has, where their number is fixed.
    pub(super) fixed: Option<u16>,
}

/// A type of one value, or why it is none.
pub(super) fn scalar(r#type: &Value, path: &str) -> Result<One, Refused> {
    let word = r#type.as_str().or_else(|| r#type["type"].as_str());
    let logical = r#type["logicalType"].as_str();
    let one = |scalar| One {
        scalar,
        unit: Unit::Micros,
        fixed: None,
    };
    let millis = |scalar| One {
        unit: Unit::Millis,
        ..one(scalar)
    };
    Ok(match (word, logical) {
        (Some("boolean"), None) => one(Scalar::Boolean),
        (Some("int"), None) => one(Scalar::Int),
        (Some("int"), Some("date")) => one(Scalar::Date),
        (Some("int"), Some("time-millis")) => millis(Scalar::Time),
        (Some("long"), None) => one(Scalar::Long),
        (Some("long"), Some("timestamp-micros")) => one(Scalar::Timestamp),
        (Some("long"), Some("timestamp-millis")) => millis(Scalar::Timestamp),
        (Some("long"), Some("local-timestamp-micros")) => one(Scalar::LocalTimestamp),
        (Some("long"), Some("local-timestamp-millis")) => millis(Scalar::LocalTimestamp),
        (Some("long"), Some("time-micros")) => one(Scalar::Time),
        (Some("float"), None) => one(Scalar::Float),
        (Some("double"), None) => one(Scalar::Double),
        (Some("string"), None) => one(Scalar::String),
        (Some("string"), Some("uuid")) => one(Scalar::Uuid),
        (Some("bytes"), Some("decimal")) => one(decimal(r#type, path)?),
        (Some("fixed"), Some("decimal")) => fixed_decimal(r#type, path)?,
        (Some(word @ ("bytes" | "fixed")), _) => {
            return Err(Refused {
                why: "JSON has no bytes: whether a string is base64, hexadecimal or Avro's own spelling is not said in it",
                ..Refused::new(
                    path,
                    &format!("is of the type {word}"),
                    "make it a string, or write the payload in Avro: `payload: avro`",
                )
            });
        }
        (Some(word), Some(logical)) => {
            return Err(Refused::new(
                path,
                &format!("is a {word} of the logical type {logical}"),
                "use date, time-, timestamp- or local-timestamp- in millis or micros, decimal or uuid",
            ));
        }
        (word, None) => {
            return Err(Refused::new(
                path,
                &format!("is of the type {}", word.unwrap_or("that stands there")),
                "use boolean, int, long, float, double, string, an enum, a record, an array or a map",
            ));
        }
        (None, Some(_)) => return Err(Refused::new(path, "has no type", "give it one")),
    })
}

fn decimal(r#type: &Value, path: &str) -> Result<Scalar, Refused> {
    let Some(precision) = r#type["precision"].as_u64().filter(|digits| *digits > 0) else {
        let what = "is a decimal that does not say how many digits it has";
        return Err(Refused::no_decimal(path, what, "give it a `precision`"));
    };
    let Some(precision) = u8::try_from(precision).ok().filter(|p| *p <= 38) else {
        let what = "is a decimal of more than 38 digits";
        return Err(Refused::new(path, what, "make it a string"));
    };
    let scale = match &r#type["scale"] {
        Value::Null => Some(0),
        scale => scale.as_u64().and_then(|scale| u8::try_from(scale).ok()),
    };
    match scale.filter(|scale| *scale <= precision) {
        Some(scale) => Ok(Scalar::Decimal { precision, scale }),
        None => {
            let what = "is a decimal with a `scale` that is no number from 0 to its `precision`";
            Err(Refused::no_decimal(path, what, "correct its `scale`"))
        }
    }
}

/// One whose bytes are always as many; as many must hold all its digits.
fn fixed_decimal(r#type: &Value, path: &str) -> Result<One, Refused> {
    let scalar = decimal(r#type, path)?;
    let size = r#type["size"].as_u64().and_then(|n| u16::try_from(n).ok());
    let Some(size) = size.filter(|size| *size > 0) else {
        let what = format!(
            "is a fixed whose `size` is no number from 1 to {}",
            u16::MAX
        );
        return Err(Refused::no_decimal(path, &what, "correct its `size`"));
    };
    // Half of the numbers of so many bits are below nought; more bits than these hold 38 digits.
    let bits = (8 * u32::from(size) - 1).min(127);
    let most = u128::MAX >> (128 - bits);
    match scalar {
        Scalar::Decimal { precision, .. } if 10u128.pow(precision.into()) - 1 > most => {
            let what = format!("is a decimal of more digits than its {size} bytes hold");
            Err(Refused::no_decimal(
                path,
                &what,
                "give the fixed a larger `size`",
            ))
        }
        scalar => Ok(One {
            scalar,
            unit: Unit::Micros,
            fixed: Some(size),
        }),
    }
}
