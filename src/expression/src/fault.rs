//! What is wrong: with an expression when it is compiled, with a row when it is evaluated.

use std::ops::Range;

use onramp_connector::Undecodable;
use onramp_finding::{Code, codes::expression as codes};

use crate::JsonFault;

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The stable code.
    pub code: &'static Code,
    /// Where: bytes of the expression's text.
    pub at: Range<usize>,
    /// What is wrong, in one line.
    pub message: String,
    /// Why that is refused, where the message does not say it.
    pub reason: Option<String>,
    /// What to write instead.
    pub remedy: Option<String>,
}

impl Fault {
    pub(crate) fn new(code: &'static Code, at: Range<usize>, message: impl Into<String>) -> Self {
        Fault {
            code,
            at,
            message: message.into(),
            reason: None,
            remedy: None,
        }
    }

    pub(crate) fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// Why an expression has no value for a row; never with the row's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvalError {
    /// Why.
    pub cause: Cause,
    /// The byte of the expression's text where the failing part begins.
    pub at: u32,
}

/// The causes of an [`EvalError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A number beyond the range of its type.
    Overflow,
    /// Division, or remainder, by zero.
    DivisionByZero,
    /// A value that is not of the form that the conversion reads.
    Conversion,
    /// A string of more than [`crate::MAX_TEXT_BYTES`], or too many of them together.
    TooLong,
    /// An index outside of the string.
    OutOfRange,
    /// A JSON document that does not give what is asked of it.
    Json(JsonFault),
    /// A column's value that the log does not have, or that cannot be carried.
    Undecodable {
        /// The column's slot.
        slot: usize,
        /// Why.
        reason: Undecodable,
    },
    /// A column's value that is not of the type that the expression was compiled for, or null
    /// where the catalogue ruled it out.
    NotAsDescribed {
        /// The column's slot, where the value came straight from one.
        slot: Option<usize>,
    },
}

impl EvalError {
    /// What it says to a person.
    pub fn reason(&self) -> &'static str {
        match self.cause {
            Cause::Overflow => "a number is beyond the range of its type",
            Cause::DivisionByZero => "division by zero",
            Cause::Conversion => "the value is not of the form that the conversion reads",
            Cause::TooLong => "the string would be longer than an expression may make it (64 KiB)",
            Cause::OutOfRange => "an index is outside of the string",
            Cause::Json(why) => why.reason(),
            Cause::Undecodable { reason, .. } => reason.reason(),
            Cause::NotAsDescribed { .. } => {
                "a column's value is not of the type, or null against the nullability, that the catalogue described"
            }
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static Code {
        &codes::EVALUATION
    }
}

impl std::fmt::Display for EvalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for EvalError {}
