/// A kind of finding: its stable identifier and the page about it.
///
/// docs/findings.md is generated from these.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `ONR-` and three digits; never used again for something else.
    pub id: &'static str,
    /// What it is called, a few words.
    pub title: &'static str,
    /// Why it is refused or warned of.
    pub reason: &'static str,
    /// A small example that causes it: a part of a file, a statement, a command (`$ …`); where nothing
    /// so short does, the finding itself (`error[…`).
    pub example: &'static str,
    /// What to do.
    pub remedy: &'static str,
}
