//! Faults of one file, gathered while it is read.

use std::sync::Arc;

use onramp_finding::{Code, Finding, Place, SourceFile, Span};

use crate::Spanned;
use crate::yaml::Node;

/// The findings of one file.
pub(crate) struct Faults {
    pub(crate) file: Arc<SourceFile>,
    pub(crate) product: Option<String>,
    pub(crate) findings: Vec<Finding>,
}

impl Faults {
    pub(crate) fn new(file: Arc<SourceFile>) -> Self {
        Faults {
            file,
            product: None,
            findings: Vec::new(),
        }
    }

    /// The findings in the order of the file; those about files that it names come next, those about
    /// settings or folders last.
    pub(crate) fn sorted(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|f| match &f.place {
            Place::File { file, span } if Arc::ptr_eq(file, &self.file) => {
                (0, "".into(), span.start)
            }
            Place::File { file, span } => (1, file.name.clone(), span.start),
            _ => (2, String::new(), 0),
        });
        self.findings
    }

    /// A value with its place.
    pub(crate) fn spanned<T>(&self, node: &Node, value: T) -> Spanned<T> {
        Spanned {
            value,
            file: node.setting.clone().unwrap_or_else(|| self.file.clone()),
            span: node.span,
        }
    }

    /// The place of a node.
    pub(crate) fn place(&self, node: &Node) -> Place {
        self.spanned(node, ()).place()
    }

    /// Adds an error; what is returned takes the reason and the remedy.
    pub(crate) fn error(
        &mut self,
        code: &'static Code,
        node: &Node,
        message: impl Into<String>,
    ) -> Added<'_> {
        self.add(Finding::error(code, self.place(node), message))
    }

    /// Adds an error at a span of the file itself.
    pub(crate) fn error_at(
        &mut self,
        code: &'static Code,
        span: Span,
        message: impl Into<String>,
    ) -> Added<'_> {
        let file = self.file.clone();
        self.add(Finding::error(code, Place::File { file, span }, message))
    }

    /// Adds a finding, in this file's product's name.
    pub(crate) fn add(&mut self, mut finding: Finding) -> Added<'_> {
        finding.product = self.product.clone();
        let at = self.findings.len();
        self.findings.push(finding);
        Added(&mut self.findings[at])
    }
}

/// A finding that was just added.
pub(crate) struct Added<'f>(&'f mut Finding);

impl Added<'_> {
    pub(crate) fn because(self, reason: impl Into<String>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    pub(crate) fn remedy(self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }
}
