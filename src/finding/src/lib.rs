//! What is wrong, where, why, and what to do about it.
//!
//! Every other crate says so in these words: a [`Finding`] for each fault, a [`Failure`] where
//! work had to end because of some. What may come in: plain text and positions. What never does:
//! a row's value, a secret, or a rendered snippet of anything but a file that a team wrote.

mod code;
pub mod codes;
mod failure;
mod nearest;
mod place;
mod render;

pub use code::Code;
pub use failure::{Failure, Kind};
pub use nearest::nearest;
pub use place::{Place, SourceFile, Span};
pub use render::{Style, shown_char, to_json, to_text};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing, nothing to do.
    Info,
    /// It works, but somebody will be sorry.
    Warning,
    /// It does not start, or it stops.
    Error,
}

impl Severity {
    /// The word for it, as printed and as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One thing that is wrong: a stable code, a place, a message, the reason, the remedy.
///
/// The message is lower case, without a full stop and without blame; the remedy says what to
/// write or run. None of them ever holds a row's value or a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stable code, which has a page in docs/.
    pub code: &'static Code,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// What is wrong, in one line.
    pub message: String,
    /// Why that is refused, where the message does not say it.
    pub reason: Option<String>,
    /// What to do; SQL to run stands here whole.
    pub remedy: Option<String>,
    /// The product it belongs to, e.g. `commerce.orders.v1`.
    pub product: Option<String>,
}

impl Finding {
    /// A finding of any severity.
    pub fn new(
        severity: Severity,
        code: &'static Code,
        place: Place,
        message: impl Into<String>,
    ) -> Self {
        Finding {
            code,
            severity,
            place,
            message: message.into(),
            reason: None,
            remedy: None,
            product: None,
        }
    }

    /// An error.
    pub fn error(code: &'static Code, place: Place, message: impl Into<String>) -> Self {
        Finding::new(Severity::Error, code, place, message)
    }

    /// A warning.
    pub fn warning(code: &'static Code, place: Place, message: impl Into<String>) -> Self {
        Finding::new(Severity::Warning, code, place, message)
    }

    /// Adds why it is refused.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Names the product that it belongs to.
    #[must_use]
    pub fn of_product(mut self, product: impl Into<String>) -> Self {
        self.product = Some(product.into());
        self
    }
}

/// Whether any of them is an error.
pub fn any_error(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.severity == Severity::Error)
}
