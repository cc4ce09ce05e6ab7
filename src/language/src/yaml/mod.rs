//! YAML as a tree with places: every scalar is the text that stands in the file.
//!
//! In comes a file's text; out goes one bounded tree, or what is wrong with it. No scalar is
//! guessed at: `01`, `N` and `null` are three texts. No key is read twice, no tag has a meaning.

mod masking;
mod parse;

use std::sync::Arc;

use onramp_finding::{SourceFile, Span};

pub(crate) use masking::{mask, names_a_secret, password_in_url};
pub(crate) use parse::parse;

/// A file may be this long, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// A tree may hold this many values, those that aliases repeat included.
pub(crate) const MAX_NODES: usize = 50_000;
/// A map may hold this many keys: each is held against all before it.
pub(crate) const MAX_KEYS: usize = 5_000;
/// Maps and lists may stand this deep in each other.
pub(crate) const MAX_DEPTH: usize = 32;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where in the file.
    pub(crate) span: Span,
    /// What stands there.
    pub(crate) content: Content,
    /// The environment variable or flag that it came from, as a file without text.
    pub(crate) setting: Option<Arc<SourceFile>>,
}

/// What stands at a node.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Nothing: `key:` and no more.
    Empty,
    /// A scalar's text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the file's order, no key twice.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) key_span: Span,
    /// Its value.
    pub(crate) value: Node,
}

impl Entry {
    /// The key as a node of its own, for findings and names.
    pub(crate) fn key_node(&self) -> Node {
        Node {
            span: self.key_span,
            content: Content::Text(self.key.clone()),
            setting: self.value.setting.clone(),
        }
    }
}

impl Node {
    /// The text, where it is a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries, where it is a map.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items, where it is a list.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// What stands under a key, where it is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|e| e.key == key)
            .map(|e| &e.value)
    }

    /// What stands under a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text under a path of keys.
    pub(crate) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.text()
    }
}
