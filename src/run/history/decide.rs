//! Which run over its rows a product begins with, or goes on with: every entity's topic holds what
//! its table held before.

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

/// The run; a finding where nobody said what becomes of rows that another mapping published.
pub(crate) fn decide(
    instance: &str,
    product: &Product,
    known: Known<'_>,
) -> Result<HistoryRecord, Box<Finding>> {
    // Products that begin together read their table together: the process's name tells the runs of
    // one start from those of any other.
    let begin = |cause| HistoryRecord::begin(instance.to_owned(), cause);
    // Since its retirement nobody published what changed, and rows went without a word.
    if known.returns {
        return Ok(HistoryRecord {
            reconcile: true,
            ..begin(Cause::New)
        });
    }
    let Some(run) = known.run else {
        return Ok(begin(Cause::New));
    };
    if !known.mapping_changed {
        return Ok(run.clone());
    }
    match product.on_mapping_change {
        Some(OnMappingChange::Keep) => Ok(run.clone()),
        // Rows that the new mapping leaves out, and keys that it makes otherwise, must go.
        Some(OnMappingChange::Backfill) => Ok(HistoryRecord {
            reconcile: true,
            ..begin(Cause::Mapping)
        }),
        None => Err(Box::new(
            Finding::error(
                &running::MAPPING_CHANGED,
                product.name.place(),
                format!(
                    "the mapping of {} is not the one that its topic was filled with",
                    product.name.value
                ),
            )
            .because(running::MAPPING_CHANGED.reason)
            .remedy(running::MAPPING_CHANGED.remedy),
        )),
    }
}
