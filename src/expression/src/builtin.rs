//! The functions: their names, and the types that they take and give.

use crate::Opened;
use crate::Type::{
    self, Bool, Bytes, Date, Decimal, Double, Int, LocalTimestamp, String, Time, Timestamp, Uuid,
};

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    LowerAscii,
    UpperAscii,
    Trim,
    Replace,
    Substring,
    Matches,
    OrElse,
    /// Opens JSON by a path.
    Json(Opened),
    /// A conversion to the type that the form gives.
    To(To),
}

/// What a conversion gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    String,
    Int,
    Double,
    Decimal,
    Bool,
    Bytes,
    Date,
    Time,
    Timestamp,
    LocalTimestamp,
    Uuid,
}

/// How a function may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `f(x)`.
    Global,
    /// `x.f()`.
    Method,
    /// Either.
    Both,
}

/// A function. The value that a method is called on is its first argument.
#[derive(Debug)]
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    pub(crate) call: Call,
    pub(crate) style: Style,
    /// The types taken, and the type given; empty for `orElse`, which takes any two alike.
    pub(crate) forms: &'static [(&'static [Type], Type)],
}

const fn function(
    name: &'static str,
    call: Call,
    style: Style,
    forms: &'static [(&'static [Type], Type)],
) -> BuiltIn {
    BuiltIn {
        name,
        call,
        style,
        forms,
    }
}

/// All functions; `has` is syntax.
pub(crate) static ALL: &[BuiltIn] = &[
    function(
        "size",
        Call::Size,
        Style::Both,
        &[(&[String], Int), (&[Bytes], Int)],
    ),
    function(
        "startsWith",
        Call::StartsWith,
        Style::Method,
        &[(&[String, String], Bool)],
    ),
    function(
        "endsWith",
        Call::EndsWith,
        Style::Method,
        &[(&[String, String], Bool)],
    ),
    function(
        "contains",
        Call::Contains,
        Style::Method,
        &[(&[String, String], Bool)],
    ),
    function(
        "matches",
        Call::Matches,
        Style::Both,
        &[(&[String, String], Bool)],
    ),
    function(
        "lowerAscii",
        Call::LowerAscii,
        Style::Method,
        &[(&[String], String)],
    ),
    function(
        "upperAscii",
        Call::UpperAscii,
        Style::Method,
        &[(&[String], String)],
    ),
    function("trim", Call::Trim, Style::Method, &[(&[String], String)]),
    function(
        "replace",
        Call::Replace,
        Style::Method,
        &[(&[String, String, String], String)],
    ),
    function(
        "substring",
        Call::Substring,
        Style::Method,
        &[(&[String, Int], String), (&[String, Int, Int], String)],
    ),
    function(
        "jsonString",
        Call::Json(Opened::Text),
        Style::Global,
        &[(&[String, String], String)],
    ),
    function(
        "jsonInt",
        Call::Json(Opened::Int),
        Style::Global,
        &[(&[String, String], Int)],
    ),
    function(
        "jsonDecimal",
        Call::Json(Opened::Decimal),
        Style::Global,
        &[(&[String, String], Decimal)],
    ),
    function(
        "jsonDouble",
        Call::Json(Opened::Double),
        Style::Global,
        &[(&[String, String], Double)],
    ),
    function(
        "jsonBool",
        Call::Json(Opened::Bool),
        Style::Global,
        &[(&[String, String], Bool)],
    ),
    function("orElse", Call::OrElse, Style::Both, &[]),
    function(
        "string",
        Call::To(To::String),
        Style::Global,
        &[
            (&[String], String),
            (&[Bool], String),
            (&[Int], String),
            (&[Double], String),
            (&[Decimal], String),
            (&[Bytes], String),
            (&[Date], String),
            (&[Time], String),
            (&[LocalTimestamp], String),
            (&[Timestamp], String),
            (&[Uuid], String),
        ],
    ),
    function(
        "int",
        Call::To(To::Int),
        Style::Global,
        &[
            (&[Int], Int),
            (&[String], Int),
            (&[Double], Int),
            (&[Decimal], Int),
        ],
    ),
    function(
        "double",
        Call::To(To::Double),
        Style::Global,
        &[
            (&[Double], Double),
            (&[String], Double),
            (&[Int], Double),
            (&[Decimal], Double),
        ],
    ),
    function(
        "decimal",
        Call::To(To::Decimal),
        Style::Global,
        &[
            (&[Decimal], Decimal),
            (&[String], Decimal),
            (&[Int], Decimal),
        ],
    ),
    function(
        "bool",
        Call::To(To::Bool),
        Style::Global,
        &[(&[Bool], Bool), (&[String], Bool)],
    ),
    function(
        "bytes",
        Call::To(To::Bytes),
        Style::Global,
        &[(&[Bytes], Bytes), (&[String], Bytes)],
    ),
    function(
        "date",
        Call::To(To::Date),
        Style::Global,
        &[
            (&[Date], Date),
            (&[String], Date),
            (&[LocalTimestamp], Date),
        ],
    ),
    function(
        "time",
        Call::To(To::Time),
        Style::Global,
        &[
            (&[Time], Time),
            (&[String], Time),
            (&[LocalTimestamp], Time),
        ],
    ),
    function(
        "timestamp",
        Call::To(To::Timestamp),
        Style::Global,
        &[(&[Timestamp], Timestamp), (&[String], Timestamp)],
    ),
    function(
        "localTimestamp",
        Call::To(To::LocalTimestamp),
        Style::Global,
        &[
            (&[LocalTimestamp], LocalTimestamp),
            (&[String], LocalTimestamp),
        ],
    ),
    function(
        "uuid",
        Call::To(To::Uuid),
        Style::Global,
        &[(&[Uuid], Uuid), (&[String], Uuid)],
    ),
];

impl BuiltIn {
    /// The function of a name.
    pub(crate) fn find(name: &str) -> Option<&'static BuiltIn> {
        ALL.iter().find(|f| f.name == name)
    }

    /// Whether it takes so many arguments, the one before the point included.
    pub(crate) fn takes(&self, count: usize) -> bool {
        if self.forms.is_empty() {
            return count == 2;
        }
        self.forms.iter().any(|(takes, _)| takes.len() == count)
    }

    /// How it is called, for a remedy.
    pub(crate) fn shown(&self) -> std::string::String {
        if self.forms.is_empty() {
            return format!("{}(value, default)", self.name);
        }
        let mut shown: Vec<std::string::String> = Vec::new();
        for (takes, _) in self.forms {
            let words: Vec<&str> = takes.iter().map(Type::word).collect();
            shown.push(match self.style {
                Style::Method => format!("{}.{}({})", words[0], self.name, words[1..].join(", ")),
                _ => format!("{}({})", self.name, words.join(", ")),
            });
        }
        shown.join(", ")
    }
}
