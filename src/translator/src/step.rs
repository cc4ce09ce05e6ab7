//! One field's compiled way from a row to its value.

use std::sync::Arc;

use onramp_connector::{Cell, ColumnDecoder, Undecodable, Value};
use onramp_expression::{
    Cause, EvalError, Expression, JsonFault, JsonPath, Opened, Row, Scratch, json_value,
};
use onramp_finding::{Code, codes::mapping};
use onramp_language::Field;

use crate::convert::{Convert, Out, Refusal};
use crate::lookup::Fixed;
use crate::protection::Protection;

/// A row's cells by slot, and the old row's where that can stand in for a value left out.
#[derive(Clone, Copy)]
pub(crate) struct RowView<'a, 'r> {
    pub(crate) cells: &'r [Cell<'a>],
    /// The old image's cells and which of them it has.
    pub(crate) old: Option<(&'r [Cell<'a>], &'r [bool])>,
    pub(crate) decoders: &'r [ColumnDecoder],
}

impl<'a> Row<'a> for RowView<'a, '_> {
    #[inline]
    fn value(&self, slot: usize) -> Result<Value<'a>, Undecodable> {
        let mut cell = self.cells[slot];
        if cell == Cell::Unchanged
            && let Some((old, has)) = self.old
            && has[slot]
        {
            cell = old[slot];
        }
        cell.decode(self.decoders[slot])
    }
}

/// Where a step's value comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    Slot(usize),
    /// A part of a column's JSON.
    Json(usize, JsonPath, Opened),
    /// What stands in the element or the record in JSON that the field is of, which opens it.
    Part(Opened),
    Expression(Box<Expression>),
    Constant(Fixed),
}

/// One field of one value each.
#[derive(Debug)]
pub(crate) struct Step {
    /// The field's path, e.g. `address.city`.
    pub(crate) path: Arc<str>,
    pub(crate) origin: Origin,
    pub(crate) convert: Convert,
    pub(crate) protect: Option<Protection>,
    /// Where null may stand.
    pub(crate) optional: Option<Branches>,
}

/// How a union of null and one type is written: the byte of each one's place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Branches {
    pub(crate) null: u8,
    pub(crate) value: u8,
}

impl Branches {
    /// Those of a field or an item; None where null may not stand.
    pub(crate) fn of(field: &Field) -> Option<Branches> {
        field.optional.then_some(match field.in_avro.null_last {
            false => Branches { null: 0, value: 2 },
            true => Branches { null: 2, value: 0 },
        })
    }
}

/// Why a step has no value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) code: &'static Code,
    pub(crate) reason: &'static str,
    /// The column's slot, where one is to blame.
    pub(crate) slot: Option<usize>,
    /// The byte of the expression's text where the failing part begins, where one failed.
    pub(crate) at: Option<u32>,
}

impl Trouble {
    pub(crate) fn new(code: &'static Code, reason: &'static str) -> Self {
        Trouble {
            code,
            reason,
            slot: None,
            at: None,
        }
    }

    /// For the reason that the code has.
    pub(crate) fn of_code(code: &'static Code) -> Self {
        Trouble::new(code, code.reason)
    }

    /// The same, and a column is to blame.
    pub(crate) fn in_slot(self, slot: usize) -> Self {
        Trouble {
            slot: Some(slot),
            ..self
        }
    }

    pub(crate) fn of_column(slot: usize, why: Undecodable) -> Self {
        Trouble::new(Trouble::code_of(why), why.reason()).in_slot(slot)
    }

    pub(crate) fn code_of(why: Undecodable) -> &'static Code {
        match why {
            Undecodable::Unchanged => &mapping::ROW_LEFT_OUT,
            Undecodable::Malformed | Undecodable::Encoding => &mapping::ROW_UNREADABLE,
            Undecodable::NotFinite | Undecodable::TooWide | Undecodable::NotAList => {
                &mapping::ROW_VALUE
            }
        }
    }

    pub(crate) fn of_refusal(refusal: Refusal) -> Self {
        Trouble::new(refusal.code, refusal.reason)
    }

    pub(crate) fn of_expression(error: EvalError) -> Self {
        let trouble = match error.cause {
            Cause::Undecodable { slot, reason } => Trouble::of_column(slot, reason),
            Cause::NotAsDescribed { slot } => Trouble {
                slot,
                ..Trouble::new(error.code(), error.reason())
            },
            _ => Trouble::new(error.code(), error.reason()),
        };
        Trouble {
            at: Some(error.at),
            ..trouble
        }
    }
}

/// The JSON in a column: of JSON, of text, or of bytes that are text in UTF-8.
#[inline]
pub(crate) fn document(column: Value<'_>) -> Result<Option<&str>, Refusal> {
    match column {
        Value::Null => Ok(None),
        Value::Text(document) => Ok(Some(document)),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(document) => Ok(Some(document)),
            Err(_) => Err(Refusal::of_json(JsonFault::NotJson)),
        },
        _ => Err(Refusal::OTHER_TYPE),
    }
}

/// What stands at a path in a column's JSON.
pub(crate) fn opened_at<'a>(
    column: Value<'a>,
    path: &JsonPath,
    opened: Opened,
    scratch: &'a Scratch,
) -> Result<Value<'a>, Refusal> {
    let Some(document) = document(column)? else {
        return Ok(Value::Null);
    };
    match path.open(document).map_err(Refusal::of_json)? {
        None => Ok(Value::Null),
        Some(part) => json_value(part, opened, scratch).map_err(Refusal::of_json),
    }
}

impl Step {
    /// The column that its value comes straight from.
    pub(crate) fn slot(&self) -> Option<usize> {
        match &self.origin {
            Origin::Slot(slot) | Origin::Json(slot, ..) => Some(*slot),
            Origin::Part(_) | Origin::Expression(_) | Origin::Constant(_) => None,
        }
    }

    /// The field's value for a row.
    #[inline]
    pub(crate) fn value<'a, R: Row<'a>>(
        &'a self,
        row: &R,
        scratch: &'a Scratch,
    ) -> Result<Out<'a>, Trouble> {
        let out = self.plain(self.source(row, scratch)?)?;
        match &self.protect {
            Some(protect) if out != Out::Null => {
                let protected = protect.apply(&out, scratch);
                protected.map_err(|r| self.refused(r))
            }
            _ => Ok(out),
        }
    }

    /// The field's value of what the row has for it.
    #[inline]
    pub(crate) fn finished<'a>(
        &'a self,
        source: Value<'a>,
        scratch: &'a Scratch,
    ) -> Result<Out<'a>, Trouble> {
        let out = self.plain(source)?;
        match &self.protect {
            Some(protect) if out != Out::Null => {
                let protected = protect.apply(&out, scratch);
                protected.map_err(|r| self.refused(r))
            }
            _ => Ok(out),
        }
    }

    /// What the row has for the field; null of a constant, which is in no row.
    #[inline]
    pub(crate) fn source<'a, R: Row<'a>>(
        &'a self,
        row: &R,
        scratch: &'a Scratch,
    ) -> Result<Value<'a>, Trouble> {
        match &self.origin {
            Origin::Slot(slot) => row.value(*slot).map_err(|e| Trouble::of_column(*slot, e)),
            Origin::Json(slot, path, opened) => {
                let column = row.value(*slot).map_err(|e| Trouble::of_column(*slot, e))?;
                let part = opened_at(column, path, *opened, scratch);
                part.map_err(|r| self.refused(r))
            }
            // A row tells neither.
            Origin::Part(_) | Origin::Constant(_) => Ok(Value::Null),
            Origin::Expression(expression) => expression
                .evaluate(row, scratch)
                .map_err(Trouble::of_expression),
        }
    }

    /// The field's value before it is protected.
    #[inline]
    pub(crate) fn plain<'a>(&'a self, value: Value<'a>) -> Result<Out<'a>, Trouble> {
        let out = match &self.origin {
            Origin::Constant(fixed) => fixed.out(),
            _ => self.convert.apply(value).map_err(|r| self.refused(r))?,
        };
        match out == Out::Null && self.optional.is_none() {
            false => Ok(out),
            true => Err(Trouble {
                slot: self.slot(),
                ..Trouble::new(
                    &mapping::ROW_NULL,
                    "the row holds null and the field is required",
                )
            }),
        }
    }

    fn refused(&self, refusal: Refusal) -> Trouble {
        Trouble {
            slot: self.slot(),
            ..Trouble::of_refusal(refusal)
        }
    }
}
