//! `onramp status`, `onramp backfill` and `onramp recover`, as whoever runs them has them.

use std::io::{BufRead, IsTerminal, Write};

use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_language::Gateway;
use serde_json::json;

use crate::admin::{Order, caller};
use crate::cli::report::{self, Format};
use crate::status::{self, Status};
use crate::{run, terminal};

/// Tells how the gateway fares: by itself, or by its progress in Kafka where it does not answer.
pub(crate) fn status(gateway: &Gateway, format: Format) -> Result<(), Failure> {
    let shown = terminal::Progress::default();
    shown.say("asking the gateway");
    let status = runtime()?.block_on(asked(gateway, &shown))?;
    shown.clear();
    let object = serde_json::to_value(&status).unwrap_or_default();
    report::done(format, object, &status::text(&status));
    Ok(())
}

async fn asked(gateway: &Gateway, shown: &terminal::Progress) -> Result<Status, Failure> {
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
    shown.say("no answer; reading progress from Kafka");
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
pub(crate) fn backfill(gateway: &Gateway, order: &Order, format: Format) -> Result<(), Failure> {
    let accepted = runtime()?.block_on(caller::backfill(gateway, order))?;
    let how = match accepted.under_way {
        true => "was ordered before and is under way",
        false => "is ordered",
    };
    let text = format!(
        "{}: back-fill {} {how}; `onramp status` shows how far it is\n",
        order.product, accepted.run
    );
    let object = json!({
        "product": order.product,
        "run": accepted.run,
        "under_way": accepted.under_way,
    });
    report::done(format, object, &text);
    Ok(())
}

/// Goes on after log was lost, once somebody said yes.
pub(crate) fn recover(
    gateway: Gateway,
    yes: bool,
    accepted_gaps: Vec<String>,
    format: Format,
) -> Result<(), Failure> {
    let consent = run::Consent {
        ask: Box::new(move |plan| match (format, yes) {
            (Format::Json, true) => Ok(()),
            (Format::Json, false) => Err(not_confirmed("it is not asked for in JSON")),
            (Format::Text, _) => confirmed(plan, yes),
        }),
        accepted_gaps,
    };
    let outcome = runtime()?.block_on(run::recover(gateway, consent))?;
    let text = format!("{outcome}\n");
    report::done(format, json!({ "outcome": outcome }), &text);
    Ok(())
}

/// Prints what will be done, and has it confirmed.
fn confirmed(plan: &str, yes: bool) -> Result<(), Failure> {
    terminal::say(plan);
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(not_confirmed("there is no terminal to ask on"));
    }
    // Where the question cannot be shown the answer is no yes.
    let _ = write!(std::io::stdout(), "Go on? Only \"yes\" does: ");
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    match std::io::stdin().lock().read_line(&mut answer) {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => Err(not_confirmed("nothing was changed")),
    }
}

fn not_confirmed(why: &str) -> Failure {
    let finding = Finding::error(&running::NOT_CONFIRMED, Place::Nowhere, why);
    let remedy = running::NOT_CONFIRMED.remedy;
    Failure::stop(Kind::Configuration, finding.remedy(remedy))
}

/// One thread is enough to ask.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::internal(&running::INTERNAL, format!("no runtime: {e}")))
}
