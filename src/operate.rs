//! `onramp status` and `onramp backfill`: asking the gateway that runs.

use std::io::Write;

use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind};
use onramp_language::Gateway;

use crate::admin::{Order, caller};
use crate::status::{self, Status};
use crate::{cli, run};

/// Tells how the gateway fares: by itself, or by its progress in Kafka where it does not answer.
pub(crate) fn status(gateway: &Gateway, json: bool) -> Result<(), Failure> {
    let status = runtime()?.block_on(asked(gateway))?;
    let text = match json {
        true => format!(
            "{}\n",
            serde_json::to_string_pretty(&status).unwrap_or_default()
        ),
        false => status::text(&status),
    };
    // A reader that went away has seen what it wanted.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

async fn asked(gateway: &Gateway) -> Result<Status, Failure> {
    let why = match caller::status(gateway).await {
        Ok(status) => return Ok(status),
        // A gateway that answers, but not to us, is no gateway that is down.
        Err(failure)
            if failure
                .findings
                .iter()
                .any(|f| f.code != &running::NO_ANSWER) =>
        {
            return Err(failure);
        }
        Err(failure) => failure.findings.into_iter().next().map(|f| f.message),
    };
    let name = &gateway.name.value;
    let Some(progress) = run::progress(gateway).await? else {
        let finding = Finding::error(
            &running::NO_ANSWER,
            gateway.name.place(),
            format!("{name} does not answer, and has no progress in Kafka"),
        )
        .because(why.unwrap_or_default())
        .remedy("start it for the first time: `onramp run`");
        return Err(Failure::stop(Kind::Configuration, finding));
    };
    let mut status = status::of_progress(name, &progress);
    status.not_answering = why;
    Ok(status)
}

/// Orders a back-fill of the gateway that runs.
pub(crate) fn backfill(gateway: &Gateway, order: &Order) -> Result<(), Failure> {
    let run = runtime()?.block_on(caller::backfill(gateway, order))?;
    cli::say(&format!(
        "{}: back-fill {run} is ordered; `onramp status` shows how far it is",
        order.product
    ));
    Ok(())
}

/// One thread is enough to ask.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::internal(&running::INTERNAL, format!("no runtime: {e}")))
}
