//! Which run over its rows a product begins with, or goes on with: every entity's topic holds what
//! its table held before. Facts follow from changes; of rows that did not change there are some only
//! where the product's file says `history: insert`, and said so from the first.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

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
    /// Whether it was published before.
    pub(crate) published: bool,
    /// Whether it was retired, and is published again.
    pub(crate) returns: bool,
    /// The tables that it read.
    pub(crate) tables: &'a [String],
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
        return Ok(Some(of_tables(run.clone(), product, known, instance)));
    }
    match product.on_mapping_change {
        Some(OnMappingChange::Keep) => Ok(Some(of_tables(run.clone(), product, known, instance))),
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
        (true, Some(run)) if is_renamed(run, product) => match run.stage {
            // What was told stays told; it may be the same table under another name.
            Stage::Done => Ok(Some(HistoryRecord {
                tables: names(product),
                ..run.clone()
            })),
            _ => Err(renamed(product)),
        },
        (true, Some(run)) => Ok(Some(tables_once(run.clone(), product, instance))),
        (true, None) if known.published => Err(late(product)),
        (true, None) => {
            let none = HistoryRecord::begin(instance.to_owned(), Cause::New);
            Ok(Some(tables_once(none, product, instance)))
        }
    }
}

fn names(product: &Product) -> Vec<String> {
    let now = sources::idents(product);
    now.iter().map(ToString::to_string).collect()
}

/// Whether none of a run's tables is the product's one table. Of several tables those that come are read.
fn is_renamed(run: &HistoryRecord, product: &Product) -> bool {
    if product.tables.union {
        return false;
    }
    let now = names(product);
    let mut known = run.tables.iter().chain(&run.left).peekable();
    known.peek().is_some() && !known.any(|table| now.contains(table))
}

/// Which rows of a table are told is known by its name.
fn renamed(product: &Product) -> Box<Finding> {
    let message = format!(
        "{} reads another table than the one whose rows it is still to tell",
        product.name.value
    );
    let finding = Finding::error(&running::HISTORY_LATE, product.tables.place(), message)
        .because("which rows were told is known by their table's name: under another they would be told again")
        .remedy("name the table as it was named until all its rows are told, write `history: none`, or make it a new version");
    Box::new(finding)
}

/// Such a run with the tables that there are now, one or several: each is read once. Those that came
/// are read; one that went and came back is not, since what was told of it is not known any more.
fn tables_once(mut run: HistoryRecord, product: &Product, instance: &str) -> HistoryRecord {
    let now = names(product);
    let first = run.left.first().cloned();
    run.left.retain(|t| now.contains(t));
    let known = |t: &&String| !run.tables.contains(t) && !run.left.contains(t);
    let came: Vec<String> = now.iter().filter(known).cloned().collect();
    run.left.extend(came);
    match (run.stage, run.left.is_empty()) {
        (Stage::Done, false) => {
            run = HistoryRecord {
                left: run.left,
                tables: run.tables,
                ..HistoryRecord::begin(instance.to_owned(), Cause::New)
            };
        }
        (_, true) => run.stage = Stage::Done,
        (_, false) => {}
    }
    if run.left.first() != first.as_ref() {
        (run.after, run.key) = (None, Vec::new());
    }
    if run.secret.is_empty() {
        run.secret = secret();
    }
    run
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

/// A union's run with the tables that there are now: those that came are read, those that went are
/// not.
fn of_tables(
    mut run: HistoryRecord,
    product: &Product,
    known: Known<'_>,
    instance: &str,
) -> HistoryRecord {
    if !product.tables.union {
        // It may have been one of several: all that counts was read, or is read from the start.
        if !run.left.is_empty() {
            (run.after, run.key) = (None, Vec::new());
        }
        run.tables.clear();
        run.left.clear();
        return run;
    }
    if run.stage == Stage::Done && run.tables.is_empty() && run.left.is_empty() {
        // It was of one table, whose rows are published.
        run.tables = known.tables.to_vec();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn product(kind: &str) -> Product {
        product_of("public.o", kind)
    }

    fn product_of(table: &str, kind: &str) -> Product {
        let folder = tempfile::tempdir().unwrap();
        let gateway = "gateway: shop\nsource: { type: postgres, url: \"postgres://o@127.0.0.1:1/shop\", password: { env: P } }\n\
             kafka: { brokers: [\"127.0.0.1:1\"] }\nregistry: { url: \"http://127.0.0.1:1\" }\nproducts: [p.yaml]\n";
        let product = format!(
            "product: shop.orders.v1\nstatus: active\nowner: {{ team: t, contact: t@shop.test }}\ndescription: d\n\
             source: {{ table: {table} }}\nkey: [id]\n{kind}"
        );
        let path = folder.path().join("onramp.yaml");
        std::fs::write(&path, gateway).unwrap();
        std::fs::write(folder.path().join("p.yaml"), product).unwrap();
        let loaded = onramp_language::load(&path, &Default::default()).unwrap();
        loaded.gateway.products[0].clone()
    }

    const FACTS: &str =
        "kind: events\nevents: { Came: { fields: { id: { type: long, from: no } } } }\n";

    fn decided(product: &Product, known: Known<'_>) -> Result<Option<HistoryRecord>, &'static str> {
        decide("me", product, known).map_err(|finding| finding.code.id)
    }

    const NEW: Known<'_> = Known {
        mapping_changed: false,
        published: false,
        returns: false,
        tables: &[],
        run: None,
    };

    #[test]
    fn facts_read_rows_once_and_only_from_their_first_run_on() {
        let (without, with) = (
            product(FACTS),
            product(&format!("{FACTS}history: insert\n")),
        );
        assert_eq!(decided(&without, NEW), Ok(None));
        let begun = decided(&with, NEW).unwrap().unwrap();
        assert_eq!((begun.stage, begun.secret.len()), (Stage::Reading, 32));
        assert_ne!(decided(&with, NEW).unwrap().unwrap().secret, begun.secret);
        let published = Known {
            published: true,
            ..NEW
        };
        assert_eq!(decided(&with, published), Err("ONR-728"));
        let known = |run| Known {
            run: Some(run),
            ..published
        };
        assert_eq!(
            decided(&with, known(&begun)),
            Ok(Some(begun.clone())),
            "it goes on"
        );
        let given_up = decided(&without, known(&begun)).unwrap().unwrap();
        assert_eq!((given_up.stage, given_up.given_up), (Stage::Done, true));
        assert_eq!(decided(&without, known(&given_up)), Ok(None));
        assert_eq!(decided(&with, known(&given_up)), Err("ONR-728"));
        let done = HistoryRecord {
            stage: Stage::Done,
            tables: begun.left.clone(),
            left: Vec::new(),
            ..begun.clone()
        };
        assert_eq!(decided(&without, known(&done)), Ok(None));
        for (run, told) in [(&begun, Err("ONR-728")), (&done, Ok(Some(done.clone())))] {
            let returns = Known {
                returns: true,
                ..known(run)
            };
            assert_eq!(decided(&with, returns), told);
        }
        // Another table in its place, or the same under another name.
        let moved_on = product_of("public.p", &format!("{FACTS}history: insert\n"));
        assert_eq!(decided(&moved_on, known(&begun)), Err("ONR-728"));
        let kept = decided(&moved_on, known(&done)).unwrap().unwrap();
        assert_eq!(
            (kept.stage, kept.tables),
            (Stage::Done, vec!["public.p".to_owned()])
        );
        let changed = Known {
            mapping_changed: true,
            ..known(&begun)
        };
        assert_eq!(decided(&with, changed), Err("ONR-706"));
    }
}
