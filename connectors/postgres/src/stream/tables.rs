//! The tables of a session, as the log last described them.
//!
//! A partitioned table's rows come under its root's name and do not say which partition they are
//! in. But the server describes a root and then the partition, right before the first row of that
//! partition and again after each change to it: that tells what the partition's old rows hold at
//! that place of the log, whatever the catalogue says by now. From then on the root's old rows are
//! taken to hold no more than that.

use std::collections::HashMap;
use std::sync::Arc;

use onramp_connector::{BeforeImage, TableId, TableLayout};

/// What the catalogue said about a description in the log.
#[derive(Debug, Clone)]
pub(super) struct Learnt {
    /// The table's number.
    pub(super) oid: u32,
    /// The Relation message itself: the same again changes nothing.
    pub(super) described: Vec<u8>,
    /// How its rows are read.
    pub(super) layout: TableLayout,
    /// Whether its rows may be stored in partitions.
    pub(super) partitioned: bool,
}

struct Table {
    id: TableId,
    /// Whether its old images are to be whole.
    whole: bool,
    described: Vec<u8>,
    /// Where its rows may be stored in partitions.
    root: Option<Root>,
}

struct Root {
    /// What the catalogue says of old rows.
    declared: BeforeImage,
    /// The key columns that old rows of each partition have, as the log described them; partitions
    /// with whole rows, or none to update, leave nothing out and are not here.
    keys: HashMap<u32, Vec<String>>,
}

impl Root {
    fn before(&self) -> BeforeImage {
        let BeforeImage::Key(declared) = &self.declared else {
            return self.declared.clone();
        };
        let everywhere = |column: &&String| self.keys.values().all(|key| key.contains(column));
        let common: Vec<String> = declared.iter().filter(everywhere).cloned().collect();
        if common.is_empty() {
            BeforeImage::None
        } else {
            BeforeImage::Key(common)
        }
    }
}

/// What a description in the log means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Described {
    /// Nothing new.
    Known,
    /// The rows after it are read by this layout.
    New(TableId),
    /// The catalogue must be asked.
    Unknown,
}

#[derive(Default)]
pub(super) struct Tables {
    layouts: Vec<Arc<TableLayout>>,
    relations: HashMap<u32, Table>,
    /// The relation of the last row: most rows follow one of their own table.
    last: Option<(u32, TableId, bool)>,
    /// What was learnt from the catalogue for a description not yet read.
    learnt: Option<Learnt>,
    /// The root that was described last, with nothing after it.
    root: Option<u32>,
    /// A root and what was described right after it: a partition of it, if a row of the root is
    /// next. (TRUNCATE describes tables one after another too.)
    pair: Option<(u32, u32)>,
}

impl Tables {
    pub(super) fn layouts(&self) -> &[Arc<TableLayout>] {
        &self.layouts
    }

    pub(super) fn layout(&self, table: TableId) -> &TableLayout {
        &self.layouts[table.0 as usize]
    }

    /// A table's name, if it was described.
    pub(super) fn name(&self, oid: u32) -> Option<String> {
        let table = self.relations.get(&oid)?;
        Some(self.layout(table.id).name.to_string())
    }

    /// The layout of a table that reading stopped at.
    pub(super) fn learn(&mut self, learnt: Learnt) {
        self.learnt = Some(learnt);
    }

    /// Takes note of a table's description.
    pub(super) fn describe(&mut self, oid: u32, bytes: &[u8]) -> Described {
        let known = self.relations.get(&oid);
        let described = if known.is_some_and(|table| table.described == bytes) {
            Described::Known
        } else {
            match self.learnt.take() {
                Some(learnt) if learnt.oid == oid && learnt.described == bytes => {
                    Described::New(self.insert(learnt))
                }
                _ => return Described::Unknown,
            }
        };
        // The next row looks anew, and finds the pair.
        self.last = None;
        let partitioned = self.relations.get(&oid).is_some_and(|t| t.root.is_some());
        if partitioned {
            (self.root, self.pair) = (Some(oid), None);
        } else {
            self.pair = self.root.take().map(|root| (root, oid));
        }
        described
    }

    fn insert(&mut self, learnt: Learnt) -> TableId {
        let mut layout = learnt.layout;
        let earlier = self.relations.remove(&learnt.oid).and_then(|t| t.root);
        let root = learnt.partitioned.then(|| Root {
            declared: layout.before.clone(),
            keys: earlier.map(|root| root.keys).unwrap_or_default(),
        });
        if let Some(root) = &root {
            layout.before = root.before();
        }
        let whole = layout.before == BeforeImage::Whole;
        let id = self.push(layout);
        let described = learnt.described;
        let table = Table {
            id,
            whole,
            described,
            root,
        };
        self.relations.insert(learnt.oid, table);
        id
    }

    pub(super) fn push(&mut self, layout: TableLayout) -> TableId {
        let id = TableId(self.layouts.len() as u32);
        self.layouts.push(Arc::new(layout));
        id
    }

    /// Before each row: where a partition was described since the last one, its root may have a
    /// new layout.
    #[inline]
    pub(super) fn row_of(&mut self, oid: u32) -> Option<TableId> {
        if self.last.is_some() {
            return None;
        }
        self.root = None;
        let (root, leaf) = self.pair.take()?;
        if root == oid {
            self.narrow(root, leaf)
        } else {
            None
        }
    }

    fn narrow(&mut self, root: u32, leaf: u32) -> Option<TableId> {
        let of_leaf = self.relations.get(&leaf)?.id;
        let key = match &self.layout(of_leaf).before {
            BeforeImage::Key(columns) => Some(columns.clone()),
            // PostgreSQL refuses to update a published table without an identity.
            BeforeImage::Whole | BeforeImage::None => None,
        };
        let table = self.relations.get_mut(&root)?;
        let keys = &mut table.root.as_mut()?.keys;
        match key {
            Some(key) => drop(keys.insert(leaf, key)),
            None => drop(keys.remove(&leaf)),
        }
        let before = table.root.as_ref()?.before();
        let now = &self.layouts[table.id.0 as usize];
        if now.before == before {
            return None;
        }
        let layout = TableLayout {
            before,
            ..(**now).clone()
        };
        let id = self.push(layout);
        let table = self.relations.get_mut(&root)?;
        table.id = id;
        Some(id)
    }

    /// Tables are emptied: what was described for it says nothing of partitions.
    pub(super) fn truncated(&mut self) {
        (self.root, self.pair) = (None, None);
    }

    /// A table, and whether its old images are to be whole; None where it was never described.
    #[inline]
    pub(super) fn find(&mut self, oid: u32) -> Option<(TableId, bool)> {
        if let Some((last, id, whole)) = self.last
            && last == oid
        {
            return Some((id, whole));
        }
        let table = self.relations.get(&oid)?;
        self.last = Some((oid, table.id, table.whole));
        Some((table.id, table.whole))
    }
}

#[cfg(test)]
mod tests {
    use onramp_connector::Ident;

    use super::super::tuple;
    use super::*;

    fn key(columns: &[&str]) -> BeforeImage {
        BeforeImage::Key(columns.iter().map(|&c| c.to_owned()).collect())
    }

    fn say(tables: &mut Tables, oid: u32, before: BeforeImage, partitioned: bool) {
        let name = Ident {
            schema: "s".into(),
            table: format!("t{oid}"),
        };
        let described = format!("{before:?}").into_bytes();
        if tables.describe(oid, &described) != Described::Unknown {
            return;
        }
        tables.learn(Learnt {
            oid,
            described: described.clone(),
            layout: TableLayout {
                name,
                columns: Vec::new(),
                before,
                read: tuple::read,
            },
            partitioned,
        });
        assert!(matches!(
            tables.describe(oid, &described),
            Described::New(_)
        ));
    }

    /// What old rows of the root hold after a row of it.
    fn row(tables: &mut Tables) -> BeforeImage {
        tables.row_of(1);
        let (id, _) = tables.find(1).unwrap();
        tables.layout(id).before.clone()
    }

    #[test]
    fn a_root_holds_what_every_partition_seen_holds() {
        let mut tables = Tables::default();
        let root = |tables: &mut Tables| say(tables, 1, key(&["a", "b"]), true);
        root(&mut tables);
        say(&mut tables, 2, key(&["a", "b"]), false);
        assert_eq!(tables.row_of(1), None, "nothing changes");
        assert_eq!(row(&mut tables), key(&["a", "b"]));
        root(&mut tables);
        say(&mut tables, 3, key(&["b", "c"]), false);
        assert_eq!(row(&mut tables), key(&["b"]));
        root(&mut tables);
        say(&mut tables, 2, key(&["a"]), false);
        assert_eq!(row(&mut tables), BeforeImage::None);
        // One that changes back no longer counts against it.
        root(&mut tables);
        say(&mut tables, 3, BeforeImage::Whole, false);
        assert_eq!(row(&mut tables), key(&["a"]));
        // The root described anew keeps what its partitions told.
        say(&mut tables, 1, key(&["a", "b", "c"]), true);
        assert_eq!(row(&mut tables), key(&["a"]));
    }

    #[test]
    fn a_table_that_is_truncated_beside_a_root_is_no_partition_of_it() {
        let mut tables = Tables::default();
        say(&mut tables, 1, key(&["a"]), true);
        say(&mut tables, 2, key(&["z"]), false);
        tables.truncated();
        assert_eq!(row(&mut tables), key(&["a"]));
        // Nor is one whose own row follows.
        say(&mut tables, 1, key(&["a"]), true);
        say(&mut tables, 2, key(&["z"]), false);
        assert_eq!(tables.row_of(2), None);
        assert_eq!(row(&mut tables), key(&["a"]));
    }
}
