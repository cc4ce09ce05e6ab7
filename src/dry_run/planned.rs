//! What `onramp plan` says, as a part of what a dry run says.

use onramp_finding::Finding;
use onramp_language::Gateway;
use serde_json::Value;

use crate::run::{products, protection};
use crate::{plan, terminal};

/// A plan as it is printed.
pub(super) struct Planned {
    /// For people: lines no wider than the terminal.
    pub(super) text: String,
    /// For machines.
    pub(super) json: Value,
}

/// What a run would create or change, and what is found on the way that is not `known` already; None
/// where a run would publish nothing, or not all could be asked.
pub(super) async fn planned(gateway: &Gateway, known: &mut Vec<Finding>) -> Option<Planned> {
    if products::published(gateway).is_empty() {
        return None;
    }
    let shown = terminal::Progress::default();
    let plan = plan::look(gateway, protection::preflight(gateway), false, Some(&shown)).await;
    shown.clear();
    for finding in &plan.findings {
        if !known.contains(finding) {
            known.push(finding.clone());
        }
    }
    // Who could not be asked is told already.
    plan.out_of_reach.is_none().then(|| Planned {
        text: plan.text(terminal::width()).trim_start().to_owned(),
        json: Value::Object(plan.json()),
    })
}
