//! Codes to values, as a lookup's file has them: one look-up on the code's bytes.

use std::collections::HashMap;

use onramp_connector::{Decimal, Value};
use onramp_finding::codes::mapping;
use onramp_language::{Fallback, Literal, Lookup, Scalar};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::convert::{Out, Refusal};
use crate::enumeration::{CODE_BYTES, code_of};

/// A literal of the files, ready to be written.
#[derive(Debug)]
pub(crate) struct Fixed {
    value: Literal,
    /// A decimal's.
    scale: u8,
}

impl Fixed {
    pub(crate) fn new(value: &Literal, scalar: Scalar) -> Self {
        Fixed {
            value: value.clone(),
            scale: match scalar {
                Scalar::Decimal { scale, .. } => scale,
                _ => 0,
            },
        }
    }

    #[inline]
    pub(crate) fn out(&self) -> Out<'_> {
        match &self.value {
            Literal::Boolean(v) => Out::Bool(*v),
            Literal::Int(v) => Out::Int(*v),
            Literal::Long(v) => Out::Long(*v),
            Literal::Float(v) => Out::Float(*v),
            Literal::Double(v) => Out::Double(*v),
            Literal::Text(v) => Out::Text(v),
            Literal::Bytes(v) => Out::Bytes(v),
            Literal::Decimal(mantissa) => Out::Decimal(Decimal {
                mantissa: *mantissa,
                scale: self.scale,
            }),
            Literal::Date(v) => Out::Date(*v),
            Literal::Time(v) => Out::Time(*v),
            Literal::LocalTimestamp(v) => Out::LocalTimestamp(*v),
            Literal::Timestamp(v) => Out::Timestamp(*v),
            Literal::Uuid(v) => Out::Uuid(*v),
        }
    }
}

#[derive(Debug)]
enum Unlisted {
    Fail,
    Null,
    Value(Fixed),
}

/// A compiled lookup.
#[derive(Debug)]
pub(crate) struct Table {
    values: HashMap<Box<[u8]>, Fixed>,
    unlisted: Unlisted,
    optional: bool,
}

impl Table {
    pub(crate) fn new(lookup: &Lookup, scalar: Scalar, optional: bool) -> Self {
        let entries = lookup.entries.iter();
        Table {
            values: entries
                .map(|(code, value)| (Box::from(code.as_bytes()), Fixed::new(&value.value, scalar)))
                .collect(),
            unlisted: match &lookup.otherwise {
                Fallback::Fail => Unlisted::Fail,
                Fallback::Null => Unlisted::Null,
                Fallback::Value(value) => Unlisted::Value(Fixed::new(&value.value.value, scalar)),
            },
            optional,
        }
    }

    /// The value of a code.
    #[inline]
    pub(crate) fn value<'a>(&'a self, code: Value<'_>) -> Result<Out<'a>, Refusal> {
        let mut room = [0u8; CODE_BYTES];
        let Some(code) = code_of(code, &mut room)? else {
            // As with an enum: null is a code that is not listed, where the field has no null.
            return Ok(match &self.unlisted {
                Unlisted::Value(value) if !self.optional => value.out(),
                _ => Out::Null,
            });
        };
        match (self.values.get(code), &self.unlisted) {
            (Some(value), _) | (None, Unlisted::Value(value)) => Ok(value.out()),
            (None, Unlisted::Null) => Ok(Out::Null),
            (None, Unlisted::Fail) => Err(Refusal {
                code: &mapping::ROW_CODE,
                reason: "the row's code is not listed in the lookup's file",
            }),
        }
    }
}

/// SHA-256 of all that a lookup's file says, in hexadecimal: its codes in order with their values,
/// whatever else stands in the file.
pub(crate) fn hash(lookup: &Lookup) -> String {
    let mut entries: Vec<(&str, &str)> = lookup
        .entries
        .iter()
        .map(|(code, value)| (code.as_str(), value.text.as_str()))
        .collect();
    entries.sort_unstable();
    let digest = Sha256::digest(json!(entries).to_string().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
