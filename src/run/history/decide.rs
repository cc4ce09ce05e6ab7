//! Which run over its rows a product begins with, or goes on with: every entity's topic holds what
//! its table held before. Facts follow from changes; there are none of rows that did not change.

use onramp_finding::Finding;
use onramp_finding::codes::running;
use onramp_language::{OnMappingChange, Product};
use onramp_publisher::{Cause, HistoryRecord};

/// What progress knows of the product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Whether its topic was filled by another mapping.
    pub(crate) mapping_changed: bool,
    /// Whether it was retired, and is published again.
    pub(crate) returns: bool,
    /// The run that was begun last.
    pub(crate) run: Option<&'a HistoryRecord>,
}

/// The run, of an entity; a finding where nobody said what becomes of rows that another mapping published.
pub(crate) fn decide(
    instance: &str,
    product: &Product,
    known: Known<'_>,
) -> Result<Option<HistoryRecord>, Box<Finding>> {
    if !product.is_entity() {
        return match (known.mapping_changed, product.on_mapping_change) {
            (true, None) => Err(undecided(product)),
            _ => Ok(None),
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
