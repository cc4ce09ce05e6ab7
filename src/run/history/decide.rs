//! Which run over its rows a product begins with, or goes on with: every entity's topic holds what
//! its table held before. Facts follow from changes; there are none of rows that did not change.

use onramp_finding::Finding;
use onramp_finding::codes::running;
use onramp_language::{OnMappingChange, Product};
use onramp_publisher::{Cause, HistoryRecord, Stage};

use crate::run::sources;

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
    let begin = |cause| HistoryRecord {
        left: sources::names(product),
        ..HistoryRecord::begin(instance.to_owned(), cause)
    };
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
        return Ok(Some(of_tables(run.clone(), product, instance)));
    }
    match product.on_mapping_change {
        Some(OnMappingChange::Keep) => Ok(Some(of_tables(run.clone(), product, instance))),
        // Rows that the new mapping leaves out, and keys that it makes otherwise, must go.
        Some(OnMappingChange::Backfill) => Ok(Some(HistoryRecord {
            reconcile: true,
            ..begin(Cause::Mapping)
        })),
        None => Err(undecided(product)),
    }
}

/// A union's run with the tables that there are now: those that came are read, those that went are
/// not.
fn of_tables(mut run: HistoryRecord, product: &Product, instance: &str) -> HistoryRecord {
    if !product.tables.union {
        // It may have been one of several: all that counts was read, or is read from the start.
        if !run.left.is_empty() {
            (run.after, run.key) = (None, Vec::new());
        }
        run.tables.clear();
        run.left.clear();
        return run;
    }
    let now = sources::names(product);
    let first = run.left.first().cloned();
    run.tables.retain(|t| now.contains(t));
    run.left.retain(|t| now.contains(t));
    let came = |t: &&String| !run.tables.contains(t) && !run.left.contains(t);
    let came: Vec<String> = now.iter().filter(came).cloned().collect();
    if !came.is_empty() && run.filter.take().is_some() {
        // A part of all rows is under way, and all of some: all of all is both.
        run.tables.clear();
        run.left = now;
    } else if !came.is_empty() {
        run.left.extend(came);
    }
    match (run.stage, run.left.is_empty()) {
        (Stage::Done, false) => {
            return HistoryRecord {
                left: run.left,
                tables: run.tables,
                ..HistoryRecord::begin(instance.to_owned(), Cause::New)
            };
        }
        (_, false) => run.stage = Stage::Reading,
        (Stage::Reading, true) if run.reconcile => run.stage = Stage::Reconciling,
        (Stage::Reading, true) => run.stage = Stage::Done,
        (_, true) => {}
    }
    if run.left.first() != first.as_ref() {
        (run.after, run.key) = (None, Vec::new());
    }
    run
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
