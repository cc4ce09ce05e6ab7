//! The publication: what it publishes now, and whether that is what the products need.

use std::collections::{BTreeSet, HashMap};

use onramp_connector::{Ident, PrepareRequest};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Place};

use super::describe::Table;
use super::session::Session;
use super::sql;
use crate::Names;

/// A publication as the server has it.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    /// FOR ALL TABLES.
    pub(crate) all_tables: bool,
    /// Whether inserts, updates, deletes and truncates are all published.
    pub(crate) all_operations: bool,
    /// `publish_via_partition_root`.
    pub(crate) via_root: bool,
    /// The tables that it names, with whether a row filter or a column list narrows them.
    pub(crate) tables: Vec<(Ident, bool)>,
    /// Whether it names schemas (FOR TABLES IN SCHEMA).
    pub(crate) schemas: bool,
}

/// The publication of this name, if there is one.
pub(crate) async fn find(session: &Session, name: &str) -> Result<Option<Publication>, Failure> {
    let rows = session
        .query(
            "SELECT puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot,
                    EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid)
               FROM pg_publication p WHERE pubname = $1::text",
            &[&name],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let tables = session
        .query(
            "SELECT n.nspname::text, c.relname::text, r.prqual IS NOT NULL OR r.prattrs IS NOT NULL
               FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
               JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE p.pubname = $1::text
                AND coalesce((to_jsonb(r) ->> 'prexcept')::boolean, false) IS FALSE ORDER BY 1, 2",
            &[&name],
        )
        .await?;
    Ok(Some(Publication {
        all_tables: row.get(0),
        all_operations: row.get(1),
        via_root: row.get(2),
        schemas: row.get(3),
        tables: tables
            .iter()
            .map(|r| {
                (
                    Ident {
                        schema: r.get(0),
                        table: r.get(1),
                    },
                    r.get(2),
                )
            })
            .collect(),
    }))
}

const OPTIONS: &str =
    "publish = 'insert, update, delete, truncate', publish_via_partition_root = true";

/// Tables as a publication's statement lists them. `ONLY`: without it PostgreSQL would add every
/// table that inherits from one of them, whose replica identity nobody has looked at.
fn list<'a>(tables: impl IntoIterator<Item = &'a Ident>) -> String {
    let each: Vec<String> = tables
        .into_iter()
        .map(|t| format!("ONLY {}", sql::table(t)))
        .collect();
    each.join(", ")
}

/// The statement that makes it.
pub(crate) fn create(name: &str, wanted: &BTreeSet<Ident>) -> String {
    let tables = if wanted.is_empty() {
        String::new()
    } else {
        format!(" FOR TABLE {}", list(wanted))
    };
    format!(
        "CREATE PUBLICATION {}{tables} WITH ({OPTIONS})",
        sql::identifier(name)
    )
}

/// The statement that makes it hold the wanted tables too; None where it does. It only ever adds:
/// an older instance may still stream what this one does not know.
pub(crate) fn add(name: &str, found: &Publication, wanted: &BTreeSet<Ident>) -> Option<String> {
    let lacking: Vec<&Ident> = wanted.iter().filter(|t| !found.names(t)).collect();
    (!lacking.is_empty() && !found.all_tables).then(|| {
        format!(
            "ALTER PUBLICATION {} ADD TABLE {}",
            sql::identifier(name),
            list(lacking)
        )
    })
}

/// Tables that were published and that no publication holds any more: the log has passed their
/// changes over since, and a table put back would hide the gap.
fn gone(name: &str, request: &PrepareRequest, found: Option<&Publication>) -> Vec<Finding> {
    let holds = |table: &Ident| found.is_some_and(|f| f.all_tables || f.names(table));
    let lost = request
        .tables
        .iter()
        .filter(|t| t.published_before && !holds(&t.table));
    lost.map(|t| {
        Finding::error(
            &codes::UNPUBLISHED,
            Place::Source(format!("table {}", t.table)),
            format!("the publication {name} no longer holds the table"),
        )
        .because("it was taken out, or dropped and made again, or the publication was: changes since then are not in what the slot sends")
        .remedy(codes::UNPUBLISHED.remedy)
        .of_product(t.products.join(", "))
    })
    .collect()
}

/// The statement that takes out the tables that nobody maps any more, for a DBA to run.
pub(crate) fn drop_unmapped(
    name: &str,
    found: &Publication,
    wanted: &BTreeSet<Ident>,
) -> Option<String> {
    let unmapped: Vec<&Ident> = found
        .tables
        .iter()
        .map(|(t, _)| t)
        .filter(|t| !wanted.contains(*t))
        .collect();
    (!unmapped.is_empty()).then(|| {
        format!(
            "ALTER PUBLICATION {} DROP TABLE {}",
            sql::identifier(name),
            list(unmapped)
        )
    })
}

impl Publication {
    pub(crate) fn names(&self, table: &Ident) -> bool {
        self.tables.iter().any(|(t, _)| t == table)
    }
}

/// What is wrong with it, or with its absence, and the tables that it no longer holds.
pub(crate) fn judge(
    names: &Names,
    request: &PrepareRequest,
    tables: &HashMap<Ident, Table>,
    found: Option<&Publication>,
) -> Vec<Finding> {
    let mut wrong = unfit(names, request, tables, found);
    wrong.extend(gone(&names.publication, request, found));
    wrong
}

/// What is wrong with it as it is. What adding tables mends is no fault, unless a DBA is to add
/// them.
fn unfit(
    names: &Names,
    request: &PrepareRequest,
    tables: &HashMap<Ident, Table>,
    found: Option<&Publication>,
) -> Vec<Finding> {
    let name = &names.publication;
    let place = || Place::Source(format!("publication {name}"));
    let wanted: BTreeSet<Ident> = request.tables.iter().map(|t| t.table.clone()).collect();
    let mut out = hidden_partitions(&wanted, tables, found);
    let Some(found) = found else {
        if names.publication_by_dba {
            out.push(
                Finding::error(
                    &codes::NO_PUBLICATION,
                    place(),
                    "the publication that the gateway file names does not exist",
                )
                .because("source.publication says that a DBA makes it")
                .remedy(create(name, &wanted)),
            );
        }
        return out;
    };
    let quoted = sql::identifier(name);
    let (mut wrong, mut statements) = (Vec::new(), Vec::new());
    if found.all_tables || found.schemas {
        wrong.push("it names all tables or whole schemas, so that a table made later without a replica identity would break the application's own UPDATE and DELETE".to_owned());
        statements = vec![format!("DROP PUBLICATION {quoted}"), create(name, &wanted)];
    } else {
        if !found.all_operations || !found.via_root {
            statements.push(format!("ALTER PUBLICATION {quoted} SET ({OPTIONS})"));
        }
        let narrowed: Vec<&Ident> = found
            .tables
            .iter()
            .filter(|(t, n)| *n && wanted.contains(t))
            .map(|(t, _)| t)
            .collect();
        if !narrowed.is_empty() {
            statements.push(format!(
                "ALTER PUBLICATION {quoted} DROP TABLE {}",
                list(narrowed.iter().copied())
            ));
            statements.push(format!(
                "ALTER PUBLICATION {quoted} ADD TABLE {}",
                list(narrowed.iter().copied())
            ));
        }
        wrong.extend(
            narrowed
                .iter()
                .map(|t| format!("it narrows {t} by a row filter or a column list")),
        );
        if names.publication_by_dba
            && let Some(add) = add(name, found, &wanted)
        {
            wrong.extend(
                wanted
                    .iter()
                    .filter(|t| !found.names(t))
                    .map(|t| format!("it lacks {t}")),
            );
            statements.push(add);
        }
    }
    if !found.all_operations {
        wrong.push("it does not publish all of insert, update, delete and truncate".to_owned());
    }
    if !found.via_root {
        wrong.push("publish_via_partition_root is off".to_owned());
    }
    if !wrong.is_empty() {
        let remedy = match statements.as_slice() {
            [one] => one.clone(),
            _ => format!("BEGIN; {}; COMMIT", statements.join("; ")),
        };
        out.push(
            Finding::error(
                &codes::WRONG_PUBLICATION,
                place(),
                "the publication is not as the products need it",
            )
            .because(wrong.join("; "))
            .remedy(remedy),
        );
    }
    if let Some(statement) = drop_unmapped(name, found, &wanted) {
        out.push(
            Finding::new(onramp_finding::Severity::Info, &codes::UNMAPPED_TABLES, place(), "the publication holds tables that no product maps")
                .because("their changes are decoded for nothing; they are left in it, since another instance may still stream them")
                .remedy(statement),
        );
    }
    out
}

/// A partition whose root is published too: all its changes come under the root's name.
fn hidden_partitions(
    wanted: &BTreeSet<Ident>,
    tables: &HashMap<Ident, Table>,
    found: Option<&Publication>,
) -> Vec<Finding> {
    let mut out = Vec::new();
    for table in wanted.iter().filter_map(|name| tables.get(name)) {
        let published = |a: &&Ident| wanted.contains(*a) || found.is_some_and(|f| f.names(a));
        let Some(root) = table.ancestors.iter().find(published) else {
            continue;
        };
        let name = &table.description.name;
        out.push(
            Finding::error(&codes::HIDDEN_PARTITION, Place::Source(format!("table {name}")), format!("the table is a partition of {root}, which is published too"))
                .because("its changes would come under the root's name, and none under its own")
                .remedy(format!("map {root} instead; or, where no product maps that any more, take it out of the publication")),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(table: &str) -> Ident {
        Ident {
            schema: "public".into(),
            table: table.into(),
        }
    }

    #[test]
    fn tables_are_only_ever_added() {
        let wanted = BTreeSet::from([ident("a"), ident("b")]);
        assert_eq!(
            create("p", &wanted),
            "CREATE PUBLICATION \"p\" FOR TABLE ONLY \"public\".\"a\", ONLY \"public\".\"b\" WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)"
        );
        let found = Publication {
            all_tables: false,
            all_operations: true,
            via_root: true,
            tables: vec![(ident("b"), false), (ident("c"), false)],
            schemas: false,
        };
        assert_eq!(
            add("p", &found, &wanted).as_deref(),
            Some("ALTER PUBLICATION \"p\" ADD TABLE ONLY \"public\".\"a\"")
        );
        assert_eq!(add("p", &found, &BTreeSet::from([ident("b")])), None);
        assert_eq!(
            drop_unmapped("p", &found, &wanted).as_deref(),
            Some("ALTER PUBLICATION \"p\" DROP TABLE ONLY \"public\".\"c\"")
        );
    }
}
