use crate::{Code, Finding, Place};

/// What sort of trouble ended the work; decides the exit code and whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Files, environment or flags: nothing was started.
    Configuration,
    /// A row or log record that cannot be carried as the product says.
    Data,
    /// The source database: unreachable, refusing, or its log is gone.
    Source,
    /// Kafka.
    Broker,
    /// The schema registry.
    Registry,
    /// Another gateway of this name took over.
    Fenced,
    /// A fault of the program itself.
    Internal,
}

impl Kind {
    /// The process's exit code; docs/exit-codes.md lists them.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Configuration => 64,
            Kind::Data => 65,
            Kind::Source => 66,
            Kind::Broker => 67,
            Kind::Registry => 68,
            Kind::Fenced => 69,
            Kind::Internal => 70,
        }
    }

    /// Each of them.
    pub const ALL: [Kind; 7] = [
        Kind::Configuration,
        Kind::Data,
        Kind::Source,
        Kind::Broker,
        Kind::Registry,
        Kind::Fenced,
        Kind::Internal,
    ];

    /// One word, for logs and metrics' labels.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Configuration => "configuration",
            Kind::Data => "data",
            Kind::Source => "source",
            Kind::Broker => "broker",
            Kind::Registry => "registry",
            Kind::Fenced => "fenced",
            Kind::Internal => "internal",
        }
    }
}

/// Work that ended: the kind of trouble, whether trying again can help, and the findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What sort of trouble.
    pub kind: Kind,
    /// True where the same work may succeed later without anybody's doing (a server is down);
    /// false where it cannot (wrong password, a position that is gone, a row that is refused).
    pub retry: bool,
    /// What was found, at least one.
    pub findings: Vec<Finding>,
}

impl Failure {
    /// Trouble that somebody must look at.
    pub fn stop(kind: Kind, finding: Finding) -> Self {
        Failure {
            kind,
            retry: false,
            findings: vec![finding],
        }
    }

    /// Trouble that may pass by itself.
    pub fn retry(kind: Kind, finding: Finding) -> Self {
        Failure {
            kind,
            retry: true,
            findings: vec![finding],
        }
    }

    /// Several findings at once, none of which passes by itself.
    pub fn all(kind: Kind, findings: Vec<Finding>) -> Self {
        debug_assert!(!findings.is_empty(), "a failure says what was found");
        Failure {
            kind,
            retry: false,
            findings,
        }
    }

    /// A fault of the program itself, with what was expected.
    pub fn internal(code: &'static Code, message: impl Into<String>) -> Self {
        Failure::stop(
            Kind::Internal,
            Finding::error(code, Place::Nowhere, message),
        )
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, finding) in self.findings.iter().enumerate() {
            let sep = if n == 0 { "" } else { "; " };
            write!(f, "{sep}{}: {}", finding.code.id, finding.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
