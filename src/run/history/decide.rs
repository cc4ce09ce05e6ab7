//! Which run over its rows a product begins with, or goes on with: every entity's topic holds what
//! its table held before. Facts follow from changes; of rows that did not change there are some only
//! where the product's file says `history: insert`, and said so from the first.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use onramp_finding::Finding;
use onramp_finding::codes::running;
use onramp_language::{OnMappingChange, Product};
use onramp_publisher::{Cause, HistoryRecord, Stage};

/// What progress knows of the product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Whether its topic was filled by another mapping.
    pub(crate) mapping_changed: bool,
    /// Whether it was published before.
    pub(crate) published: bool,
    /// Whether it was retired, and is published again.
    pub(crate) returns: bool,
    /// The run that was begun last.
    pub(crate) run: Option<&'a HistoryRecord>,
}

/// The run; a finding where nobody said what becomes of rows that another mapping published.
pub(crate) fn decide(
    instance: &str,
    product: &Product,
    known: Known<'_>,
) -> Result<Option<HistoryRecord>, Box<Finding>> {
    if !product.is_entity() {
        return match (known.mapping_changed, product.on_mapping_change) {
            (true, None) => Err(undecided(product)),
            _ => told_once(instance, product, known),
        };
    }
    // Products that begin together read their table together: the process's name tells the runs of
    // one start from those of any other.
    let begin = |cause| HistoryRecord::begin(instance.to_owned(), cause);
    // Since its retirement nobody published what changed, and rows went without a word.
    if known.returns {
        return Ok(Some(HistoryRecord {
            reconcile: true,
            ..begin(Cause::New)
        }));
    }
    let Some(run) = known.run else {
        return Ok(Some(begin(Cause::New)));
    };
    if !known.mapping_changed {
        return Ok(Some(run.clone()));
    }
    match product.on_mapping_change {
        Some(OnMappingChange::Keep) => Ok(Some(run.clone())),
        // Rows that the new mapping leaves out, and keys that it makes otherwise, must go.
        Some(OnMappingChange::Backfill) => Ok(Some(HistoryRecord {
            reconcile: true,
            ..begin(Cause::Mapping)
        })),
        None => Err(undecided(product)),
    }
}

/// The run of facts or an outbox, which tells each row that was there before once: there is one in
/// its life.
fn told_once(
    instance: &str,
    product: &Product,
    known: Known<'_>,
) -> Result<Option<HistoryRecord>, Box<Finding>> {
    match (product.tells_rows(), known.run) {
        (false, None) => Ok(None),
        (false, Some(run)) if run.stage == Stage::Done => Ok(None),
        // From now on nobody notes which rows the log brings.
        (false, Some(run)) => Ok(Some(HistoryRecord {
            stage: Stage::Done,
            given_up: true,
            ..run.clone()
        })),
        // While it was retired nobody noted them either.
        (true, Some(run)) if run.given_up || known.returns && run.stage != Stage::Done => {
            Err(late(product))
        }
        (true, Some(run)) => Ok(Some(run.clone())),
        (true, None) if known.published => Err(late(product)),
        (true, None) => Ok(Some(HistoryRecord {
            secret: secret(),
            ..HistoryRecord::begin(instance.to_owned(), Cause::New)
        })),
    }
}

/// What nobody can guess: two numbers of the standard library's own random seeds.
fn secret() -> String {
    let number = || RandomState::new().hash_one(());
    format!("{:016x}{:016x}", number(), number())
}

fn late(product: &Product) -> Box<Finding> {
    let message = format!(
        "{} was published without the rows that were there before",
        product.name.value
    );
    let finding = Finding::error(&running::HISTORY_LATE, product.name.place(), message);
    Box::new(
        finding
            .because(running::HISTORY_LATE.reason)
            .remedy(running::HISTORY_LATE.remedy),
    )
}

fn undecided(product: &Product) -> Box<Finding> {
    let finding = Finding::error(
        &running::MAPPING_CHANGED,
        product.name.place(),
        format!(
            "the mapping of {} is not the one that its topic was filled with",
            product.name.value
        ),
    );
    Box::new(
        finding
            .because(running::MAPPING_CHANGED.reason)
            .remedy(match product.is_entity() {
                true => running::MAPPING_CHANGED.remedy,
                false => "say on_mapping_change: keep in the product's file: facts that were published stay as they are, and the new mapping holds from now on",
            }),
    )
}
