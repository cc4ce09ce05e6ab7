/// A kind of finding: its stable identifier and the page about it.
///
/// The pages under docs/findings/ are generated from these.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `ONR-` and three digits; never used again for something else.
    pub id: &'static str,
    /// What it is called, a few words.
    pub title: &'static str,
    /// Why it is refused or warned of.
    pub reason: &'static str,
    /// A small example that causes it; empty where a file cannot cause it.
    pub example: &'static str,
    /// What to do.
    pub remedy: &'static str,
}
