//! Source codes to symbols.

use std::io::Write;

use onramp_connector::Value;
use onramp_finding::codes::mapping;
use onramp_language::{Otherwise, Spanned};

use crate::convert::{Out, Refusal};

/// What a code that is not listed gives.
#[derive(Debug, Clone, Copy)]
enum Unlisted {
    Fail,
    Null,
    Symbol(u32),
}

/// Room for the text of any 64-bit number.
pub(crate) const CODE_BYTES: usize = 20;

/// A code's bytes: text as it is, a number or truth value by its text, which goes into the room.
/// None for null.
#[inline]
pub(crate) fn code_of<'c>(
    value: Value<'c>,
    room: &'c mut [u8; CODE_BYTES],
) -> Result<Option<&'c [u8]>, Refusal> {
    Ok(Some(match value {
        Value::Text(text) => text.as_bytes(),
        Value::Bool(true) => b"true",
        Value::Bool(false) => b"false",
        Value::Int(int) => {
            let mut rest = &mut room[..];
            // Every 64-bit number fits.
            let _ = write!(rest, "{int}");
            let left = rest.len();
            &room[..CODE_BYTES - left]
        }
        Value::Null => return Ok(None),
        _ => return Err(Refusal::value("the value is not a code")),
    }))
}

/// The compiled `values` of an enum.
#[derive(Debug)]
pub(crate) struct Codes {
    symbols: Vec<String>,
    /// Codes of one byte, the most common kind: symbol + 1, or 0.
    single: Box<[u32; 256]>,
    /// The others, sorted.
    longer: Vec<(Box<[u8]>, u32)>,
    unlisted: Unlisted,
    optional: bool,
}

/// An enum's symbols in the schema's order: as `values` has them, then those of `otherwise` and
/// `default`.
pub fn symbols(
    values: &[(Spanned<String>, Spanned<String>)],
    default: Option<&Spanned<String>>,
    otherwise: &Otherwise,
) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let extra = match otherwise {
        Otherwise::Value(symbol) => Some(symbol),
        _ => None,
    };
    for symbol in values.iter().map(|(_, s)| s).chain(extra).chain(default) {
        if !out.contains(&symbol.value) {
            out.push(symbol.value.clone());
        }
    }
    out
}

impl Codes {
    pub(crate) fn new(
        values: &[(Spanned<String>, Spanned<String>)],
        default: Option<&Spanned<String>>,
        otherwise: &Otherwise,
        optional: bool,
    ) -> Self {
        let symbols = symbols(values, default, otherwise);
        let index = |symbol: &str| symbols.iter().position(|s| s == symbol).unwrap_or(0) as u32;
        let mut single = Box::new([0u32; 256]);
        let mut longer = Vec::new();
        for (code, symbol) in values {
            match code.as_bytes() {
                [byte] => single[*byte as usize] = index(symbol) + 1,
                bytes => longer.push((Box::from(bytes), index(symbol))),
            }
        }
        longer.sort();
        let unlisted = match otherwise {
            Otherwise::Fail => Unlisted::Fail,
            Otherwise::Null => Unlisted::Null,
            Otherwise::Value(symbol) => Unlisted::Symbol(index(symbol)),
        };
        Codes {
            symbols,
            single,
            longer,
            unlisted,
            optional,
        }
    }

    /// Whether no two codes give one symbol.
    pub(crate) fn one_to_one(values: &[(Spanned<String>, Spanned<String>)], o: &Otherwise) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        matches!(o, Otherwise::Fail) && values.iter().all(|(_, s)| seen.insert(&s.value))
    }

    /// The symbol of a code: text as it is, a number or truth value by its text.
    #[inline]
    pub(crate) fn symbol<'a>(&'a self, value: Value<'_>) -> Result<Out<'a>, Refusal> {
        let mut room = [0u8; CODE_BYTES];
        let Some(code) = code_of(value, &mut room)? else {
            // Null is a code that is not listed, where the field has no null.
            return Ok(match self.unlisted {
                Unlisted::Symbol(index) if !self.optional => self.at(index),
                _ => Out::Null,
            });
        };
        match (self.listed(code), self.unlisted) {
            (Some(index), _) | (None, Unlisted::Symbol(index)) => Ok(self.at(index)),
            (None, Unlisted::Null) => Ok(Out::Null),
            (None, Unlisted::Fail) => Err(Refusal {
                code: &mapping::ROW_CODE,
                reason: "the row's code is not listed under values",
            }),
        }
    }

    /// Whether the value is a code that `values` does not list, whatever is made of it.
    pub(crate) fn lacks(&self, value: Value<'_>) -> bool {
        let mut room = [0u8; CODE_BYTES];
        matches!(code_of(value, &mut room), Ok(Some(code)) if self.listed(code).is_none())
    }

    /// The symbol that `values` has for a code.
    #[inline]
    fn listed(&self, code: &[u8]) -> Option<u32> {
        match code {
            [byte] => self.single[*byte as usize].checked_sub(1),
            code => self
                .longer
                .binary_search_by(|(known, _)| known.as_ref().cmp(code))
                .ok()
                .map(|at| self.longer[at].1),
        }
    }

    fn at(&self, index: u32) -> Out<'_> {
        Out::Symbol(index, &self.symbols[index as usize])
    }
}
