//! A product file, drafted from a judged table.
//!
//! Nothing is guessed in silence: what is not sure stands there as a comment, and what only people
//! know as `TODO`, which `check` tells. Of sampled values only codes come in.

use std::collections::HashSet;

use onramp_connector::ValueType;

use super::column::{Judged, Meaning};
use super::field::{field, notes, protection};
use super::names;
use super::table::{Key, Seen, Table, referable};
use super::ties::{Child, Reference};
use super::yaml;
use crate::terminal::grouped;

/// What a draft begins with where only people know how it goes on.
pub(crate) const TODO: &str = onramp_language::TO_SAY;

/// What the drafts have in common.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    /// The products' domain.
    pub(crate) domain: String,
    /// The gateway's key for pseudonyms, where it declares one.
    pub(crate) key: Option<String>,
}

/// A drafted file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// The product's full name.
    pub(crate) product: String,
    /// The name alone: `orders`.
    pub(crate) name: String,
    /// What stands in the file.
    pub(crate) text: String,
    /// Why a start would refuse it; its file is then none of the gateway's.
    pub(crate) unready: Vec<String>,
    /// How many fields it has, those included that are dropped.
    pub(crate) fields: usize,
    /// The fields of the key.
    pub(crate) key: Vec<String>,
}

/// Why a table has no draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undrafted {
    /// Its name cannot be written in a file.
    Name,
    /// No column of it can be a field of the key.
    NoKey,
    /// A column of its key is personal, and nothing can take its place.
    PersonalKey(String),
}

impl Draft {
    /// The file's name: `orders.yaml`; `orders.yaml.unready` where a start would refuse it.
    pub(crate) fn file(&self) -> String {
        match self.unready.is_empty() {
            true => format!("{}.yaml", self.name),
            false => format!("{}.yaml.unready", self.name),
        }
    }

    /// What stands in the file, below why it is not ready.
    pub(crate) fn whole(&self) -> String {
        let mut out = String::new();
        if !self.unready.is_empty() {
            let name = &self.name;
            let text = format!(
                "NOT READY: a start would refuse it. Mend this, then name the file {name}.yaml:"
            );
            out.push_str(&yaml::comment(0, &text));
            for why in &self.unready {
                out.push_str(&yaml::comment(0, &format!("- {why}")));
            }
        }
        out + &self.text
    }
}

/// Drafts a table's product; `taken` are the names that others have.
pub(crate) fn draft(
    table: &Table,
    at: usize,
    references: &[Reference],
    children: &[Child],
    style: &Style,
    taken: &mut HashSet<String>,
) -> Result<Draft, Undrafted> {
    let ident = table.name();
    let spelt =
        |name: &str| !name.is_empty() && !name.contains(['.', '"']) && !name.trim().is_empty();
    if !spelt(&ident.schema) || !spelt(&ident.table) {
        return Err(Undrafted::Name);
    }
    if table.key == Key::None {
        return Err(Undrafted::NoKey);
    }
    let mut names = HashSet::new();
    let fields: Vec<(String, &Judged)> = table
        .columns
        .iter()
        .map(|c| (names::unlike(c.field.clone(), &mut names, '_'), c))
        .collect();
    let key = key(table, &fields, style)?;
    let name = names::unlike(names::product(&ident.table, at), taken, '-');
    let product = format!("{}.{name}.v1", style.domain);
    let mut text = head(table, &product, &key);
    text.push_str("fields:\n");
    let mut count = 0;
    for (name, judged) in &fields {
        let in_key = key.contains(name);
        if says_deleted(table, judged) && !in_key && fields.len() > 1 {
            let column = &judged.column.name;
            let note = format!("{name} (column {column}) is left out: `where` speaks for it");
            text.push_str(&yaml::comment(2, &note));
            continue;
        }
        text.push_str(&notes(judged, references));
        let named = references
            .iter()
            .any(|r| r.columns.contains(&judged.column.name));
        text.push_str(&field(
            name,
            &as_reference(judged, named),
            in_key,
            table,
            style,
        ));
        count += usize::from(!matches!(judged.meaning, Meaning::NotCarried(_)));
    }
    text.push_str(&later(table, children, style));
    Ok(Draft {
        product,
        name,
        text,
        unready: Vec::new(),
        fields: count,
        key,
    })
}

/// The fields of the key.
fn key(
    table: &Table,
    fields: &[(String, &Judged)],
    style: &Style,
) -> Result<Vec<String>, Undrafted> {
    let mut key = Vec::new();
    for column in table.key.columns() {
        let found = fields.iter().find(|(_, c)| c.column.name == *column);
        let (name, judged) = found.ok_or(Undrafted::NoKey)?;
        if let Some(personal) = &judged.personal
            && protection(judged, personal, style).is_none()
        {
            return Err(Undrafted::PersonalKey(column.clone()));
        }
        key.push(name.clone());
    }
    Ok(key)
}

/// Whether it is the column that flags deleted rows.
fn says_deleted(table: &Table, judged: &Judged) -> bool {
    let deleted = table.deleted.as_ref();
    deleted.is_some_and(|d| d.column == judged.column.name)
}

/// A code that names a row of another table is no enum: that table has more of them tomorrow.
fn as_reference(judged: &Judged, named: bool) -> Judged {
    let mut judged = judged.clone();
    let from_rows = matches!(&judged.meaning, Meaning::Codes(c) if !c.listed);
    if named && from_rows {
        judged.meaning = Meaning::Plain(match judged.column.value_type {
            ValueType::Int(64) => "long".to_owned(),
            ValueType::Int(_) => "int".to_owned(),
            _ => "string".to_owned(),
        });
    }
    judged
}

/// Everything above the fields.
fn head(table: &Table, product: &str, key: &[String]) -> String {
    let ident = table.name();
    let mut out = yaml::comment(
        0,
        &format!(
            "Drafted by `onramp discover` from {ident}: {}.",
            seen(table)
        ),
    );
    out.push_str(&yaml::comment(
        0,
        &format!(
            "What only you know begins with {TODO}. Read every line, then say `status: active`."
        ),
    ));
    out.push_str(&format!("product: {product}\nstatus: draft\n"));
    out.push_str(&format!("owner: {{ team: {TODO}, contact: {TODO} }}\n"));
    let said = table
        .described
        .comment
        .as_deref()
        .map(str::trim)
        .filter(|c| !c.is_empty());
    let description = match said {
        Some(comment) => yaml::quoted(comment),
        None => yaml::quoted(&format!("{TODO}: what a row of {ident} stands for")),
    };
    out.push_str(&format!("description: {description}\nkind: entity\n"));
    let mut source = vec![("table", yaml::value(&ident.to_string()))];
    if let Some(deleted) = &table.deleted
        && let Some(row) = referable(&deleted.column)
    {
        out.push_str(&yaml::comment(
            0,
            &format!(
                "{} flags deleted rows ({}): a flagged row is a tombstone.",
                deleted.column, deleted.evidence
            ),
        ));
        source.push((
            "where",
            yaml::expression(&format!("{row} {}", deleted.there)),
        ));
    }
    out.push_str(&yaml::map(0, "source", &source));
    if let Key::Guessed(columns, why) = &table.key {
        out.push_str(&yaml::comment(
            0,
            &format!("{TODO}: the key is a guess ({}: {why})", columns.join(", ")),
        ));
    }
    out.push_str(&format!("key: {}\n", yaml::list(key)));
    out
}

/// How much of the table was seen.
fn seen(table: &Table) -> String {
    let about = match table.described.rows_estimate {
        Some(rows) => format!("about {} rows", grouped(rows)),
        None => "never counted".to_owned(),
    };
    match &table.seen {
        Seen::Rows(0, _) => "no rows".to_owned(),
        Seen::Rows(rows, true) => format!("all {} rows were read", grouped(*rows as u64)),
        Seen::Rows(rows, false) => format!("{about}, {} were sampled", grouped(*rows as u64)),
        Seen::Nothing(why) => format!("{about}, not sampled: {why}"),
    }
}

/// What the language has no built form for yet, as comments.
fn later(table: &Table, children: &[Child], style: &Style) -> String {
    let mut out = String::new();
    if !children.is_empty() {
        out.push_str("# Rows of other tables belong to these. Once lists of children are built:\n# children:\n");
    }
    for child in children {
        let how = match child.declared {
            true => "",
            false => "  # by their columns' names",
        };
        let name = names::product(&child.table.table, 0).replace('-', "_");
        out.push_str(&format!(
            "#   {name}: {{ table: {}, on: {{ child: {}, parent: {} }}, order_by: {} }}{how}\n",
            yaml::value(&child.table.to_string()),
            yaml::list(&child.on.0),
            yaml::list(&child.on.1),
            yaml::list(&child.order_by),
        ));
    }
    if let Some(outbox) = &table.outbox {
        out.push_str(&yaml::comment(
            0,
            "It looks like an outbox: the application already writes events. In place of the above (docs/outbox.md), with the events that it writes:",
        ));
        out.push_str(&format!(
            "# product: {}.events.v1\n# kind: outbox\n# source: {{ table: {} }}\n# columns: {{ id: {}, type: {}, key: {}, payload: {} }}\n# events: {{ … }}\n",
            style.domain,
            yaml::value(&table.name().to_string()),
            yaml::value(&outbox.id),
            yaml::value(&outbox.kind),
            yaml::value(&outbox.key),
            yaml::value(&outbox.payload),
        ));
    }
    out
}
