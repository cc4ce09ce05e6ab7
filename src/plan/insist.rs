//! `onramp run --plan HASH`: a run does what was planned, or nothing.

use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_language::Gateway;

use crate::run::protection;

/// Refuses where a run would end elsewhere than the plan of this hash. Before anything is created.
pub(crate) async fn insist(
    gateway: &Gateway,
    keys: &protection::Keys,
    hash: &str,
) -> Result<(), Failure> {
    let plan = super::look(gateway, Ok(keys.clone()), false, None).await;
    if let Some(unasked) = plan.out_of_reach {
        return Err(Failure {
            retry: unasked.retry,
            ..Failure::all(unasked.kind, plan.findings)
        });
    }
    let Some(now) = plan.hash else {
        return Err(Failure::all(Kind::Configuration, plan.findings));
    };
    if now == hash {
        return Ok(());
    }
    let place = Place::Setting("--plan".to_owned());
    let message = format!("the plan is {now} now, not {hash}");
    let finding = Finding::error(&running::OTHER_PLAN, place, message)
        .because(running::OTHER_PLAN.reason)
        .remedy(running::OTHER_PLAN.remedy);
    Err(Failure::stop(Kind::Configuration, finding))
}
