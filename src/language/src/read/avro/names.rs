//! Named types of a schema: a name that stands alone is of the namespace around it.

use std::collections::HashMap;

use serde_json::Value;

/// The names given so far, and where the reader is.
#[derive(Default)]
pub(super) struct Names {
    known: HashMap<String, Value>,
    space: String,
    /// The records that are being read, outermost first.
    within: Vec<String>,
}

/// A type, with its full name where it has one.
pub(super) struct Named {
    pub(super) r#type: Value,
    name: Option<String>,
}

/// Where the reader was before it entered a type.
pub(super) struct Outside {
    space: String,
    depth: usize,
}

impl Names {
    /// A type, or the one that its name was given to.
    pub(super) fn resolved(&mut self, r#type: &Value) -> Named {
        if let Some(name) = r#type["name"].as_str() {
            let space = r#type["namespace"].as_str().unwrap_or(&self.space);
            let full = full(name, space);
            self.known.insert(full.clone(), r#type.clone());
            return Named {
                r#type: r#type.clone(),
                name: Some(full),
            };
        }
        let word = r#type.as_str().or_else(|| r#type["type"].as_str());
        // What no namespace around it has may be of none.
        let known = word.and_then(|word| {
            let full = full(word, &self.space);
            let known = self.known.get_key_value(&full);
            known.or_else(|| self.known.get_key_value(word))
        });
        match known {
            Some((name, known)) => Named {
                r#type: known.clone(),
                name: Some(name.clone()),
            },
            None => Named {
                r#type: r#type.clone(),
                name: None,
            },
        }
    }

    /// Whether it is one of the records that are being read.
    pub(super) fn is_within(&self, named: &Named) -> bool {
        let name = named.name.as_ref();
        name.is_some_and(|name| self.within.contains(name))
    }

    /// What stands in the type is of its namespace.
    pub(super) fn enter(&mut self, named: &Named) -> Outside {
        let outside = Outside {
            space: self.space.clone(),
            depth: self.within.len(),
        };
        if let Some(name) = &named.name {
            let space = name.rsplit_once('.').map_or("", |(space, _)| space);
            space.clone_into(&mut self.space);
            self.within.push(name.clone());
        }
        outside
    }

    pub(super) fn leave(&mut self, to: Outside) {
        self.space = to.space;
        self.within.truncate(to.depth);
    }
}

/// A name with its namespace: one with dots has it already.
pub(super) fn full(name: &str, space: &str) -> String {
    match name.contains('.') || space.is_empty() {
        true => name.to_owned(),
        false => format!("{space}.{name}"),
    }
}
