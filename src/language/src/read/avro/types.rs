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
}

/// Whether null may stand there, and what else.
pub(super) fn nullable(r#type: &Value, path: &str) -> Result<(bool, Value), Refused> {
    match r#type.as_array().map(Vec::as_slice) {
        None => Ok((false, r#type.clone())),
        Some([null, other]) if null == "null" => Ok((true, other.clone())),
        Some(_) => Err(Refused {
            why: "which of several types a JSON value is meant to be is not said in it",
            ..Refused::new(
                path,
                "is a union other than of null, which comes first, and one type",
                "write `[\"null\", TYPE]`, or a field for each type",
            )
        }),
    }
}

/// A type of one value, and what its times are counted in.
pub(super) fn scalar(r#type: &Value, path: &str) -> Result<(Scalar, Unit), Refused> {
    let word = r#type.as_str().or_else(|| r#type["type"].as_str());
    let logical = r#type["logicalType"].as_str();
    let number = |key: &str| r#type[key].as_u64().and_then(|n| u8::try_from(n).ok());
    let scalar = match (word, logical) {
        (Some("boolean"), None) => Scalar::Boolean,
        (Some("int"), None) => Scalar::Int,
        (Some("int"), Some("date")) => Scalar::Date,
        (Some("int"), Some("time-millis")) => return Ok((Scalar::Time, Unit::Millis)),
        (Some("long"), None) => Scalar::Long,
        (Some("long"), Some("timestamp-micros")) => Scalar::Timestamp,
        (Some("long"), Some("timestamp-millis")) => return Ok((Scalar::Timestamp, Unit::Millis)),
        (Some("long"), Some("local-timestamp-micros")) => Scalar::LocalTimestamp,
        (Some("long"), Some("local-timestamp-millis")) => {
            return Ok((Scalar::LocalTimestamp, Unit::Millis));
        }
        (Some("long"), Some("time-micros")) => Scalar::Time,
        (Some("float"), None) => Scalar::Float,
        (Some("double"), None) => Scalar::Double,
        (Some("string"), None) => Scalar::String,
        (Some("string"), Some("uuid")) => Scalar::Uuid,
        (Some("bytes"), Some("decimal")) => {
            let precision = number("precision").filter(|p| (1..=38).contains(p));
            let scale = number("scale").unwrap_or(0);
            match precision.filter(|precision| scale <= *precision) {
                Some(precision) => Scalar::Decimal { precision, scale },
                None => {
                    let what = "is a decimal of more than 38 digits";
                    return Err(Refused::new(path, what, "make it a string"));
                }
            }
        }
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
    };
    Ok((scalar, Unit::Micros))
}
