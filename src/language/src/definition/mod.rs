//! The language, defined once: every key with its value, default, meaning and example.
//!
//! The tables of this room are read by three: the checker (what may stand in a file), the
//! reference page and the editors' JSON Schema. Nothing else knows which keys there are.

mod field;
mod fixtures;
mod forms;
mod gateway;
mod outbox;
mod product;
mod spelling;

pub(crate) use field::{FIELD, ITEMS};
pub(crate) use fixtures::FIXTURES;
pub(crate) use forms::{Complaint, Form, suggestion};
pub(crate) use gateway::GATEWAY;
pub(crate) use product::PRODUCT;
pub(crate) use spelling::{avro_name, product_name, scalar, size, table};
pub use spelling::{duration, is_a_key_name};

/// A key: its name, what stands under it, and what it is for.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
    pub(crate) required: bool,
    /// Part of the language, and of this version.
    pub(crate) built: bool,
    pub(crate) default: Option<&'static str>,
    pub(crate) doc: &'static str,
    pub(crate) example: Option<&'static str>,
}

impl Key {
    pub(crate) const fn optional(name: &'static str, value: Value, doc: &'static str) -> Self {
        Key {
            name,
            value,
            required: false,
            built: true,
            default: None,
            doc,
            example: None,
        }
    }

    pub(crate) const fn required(name: &'static str, value: Value, doc: &'static str) -> Self {
        let mut key = Key::optional(name, value, doc);
        key.required = true;
        key
    }

    /// A key of the language that this version refuses by name.
    pub(crate) const fn later(name: &'static str, doc: &'static str) -> Self {
        let mut key = Key::optional(name, Value::Later, doc);
        key.built = false;
        key
    }

    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub(crate) const fn example(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }
}

/// A word that may stand as a value.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) word: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) built: bool,
}

impl Word {
    pub(crate) const fn new(word: &'static str, doc: &'static str) -> Self {
        Word {
            word,
            doc,
            built: true,
        }
    }

    pub(crate) const fn later(word: &'static str, doc: &'static str) -> Self {
        Word {
            word,
            doc,
            built: false,
        }
    }
}

/// What stands under a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value {
    /// A text of some form.
    Text(Form),
    /// One of some words.
    Words(&'static [Word]),
    /// A list, each item alike.
    List(&'static Value),
    /// A map of these keys.
    Map(&'static [Key]),
    /// A map of exactly one of these keys.
    One(&'static [Key]),
    /// One of some words, or a map of exactly one of these keys.
    WordOrOne(&'static [Word], &'static [Key]),
    /// A map whose keys the team names: the form of a name, and what stands under each.
    Named(Form, &'static Value),
    /// Where a secret is: `{ env: NAME }` or `{ file: PATH }`.
    Secret,
    /// A map of fields, each by the table [`FIELD`] and with a source in the row.
    Fields,
    /// A map of fields that may stand in JSON: in a payload, in a record or an element of an array.
    Opened,
    /// A map that describes an array's elements, by the table [`ITEMS`].
    Items,
    /// A map of columns to texts, to lists of them, or to nothing.
    Row,
    /// A map of names to texts, lists and maps, or to nothing.
    Tree,
    /// Not built yet: anything, refused.
    Later,
}

/// A map in which one key decides which others may stand beside it.
#[derive(Debug)]
pub(crate) struct Cases {
    /// The key that decides.
    pub(crate) by: &'static str,
    /// Keys beside every case, the deciding one included.
    pub(crate) common: &'static [Key],
    /// The cases.
    pub(crate) cases: &'static [Case],
}

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    /// What it is called in the reference.
    pub(crate) title: &'static str,
    /// The values of the deciding key, `decimal` standing for `decimal(p,s)`.
    pub(crate) words: &'static [&'static str],
    /// The keys that belong to this case.
    pub(crate) keys: &'static [Key],
}

impl Cases {
    /// The case of a value of the deciding key.
    pub(crate) fn case(&self, word: &str) -> Option<&'static Case> {
        let stem = word.split('(').next().unwrap_or(word);
        self.cases.iter().find(|c| c.words.contains(&stem))
    }
}
