//! Where what `onramp plan` would say joins what a dry run says.

use onramp_language::Gateway;
use serde_json::Value;

/// A plan as it is printed.
pub(super) struct Planned {
    /// For people: lines no wider than the terminal.
    pub(super) text: String,
    /// For machines.
    pub(super) json: Value,
}

/// What a run would create or change; None where nobody can tell yet.
pub(super) async fn planned(_gateway: &Gateway) -> Option<Planned> {
    None
}
