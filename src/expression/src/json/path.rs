//! `customer.id`, `lines[0].sku`, `"odd name".x`: where in a document a value stands.

use super::JsonFault;
use super::scan::Scan;

/// So many steps has a path.
const MAX_STEPS: usize = 32;

/// A path into a JSON document; one without steps is the document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Name(String),
    Index(usize),
}

impl JsonPath {
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Reads a path: names with dots between, elements by their place from 0, and names that hold
    /// dots, brackets or spaces in double quotes. Else what is wrong with it.
    pub fn parse(text: &str) -> Result<JsonPath, &'static str> {
        let (mut steps, mut rest) = (Vec::new(), text);
        loop {
            if let Some(index) = rest.strip_prefix('[') {
                let (digits, after) = index.split_once(']').ok_or("a `[` is not closed")?;
                let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                let index = digits.parse().ok().filter(|_| plain);
                steps.push(Step::Index(index.ok_or("an index is not a number from 0")?));
                rest = after;
            } else {
                let (name, after) = name(rest)?;
                steps.push(Step::Name(name));
                rest = after;
            }
            if steps.len() > MAX_STEPS {
                return Err("it has more than 32 steps");
            }
            rest = match rest.as_bytes().first() {
                None => return Ok(JsonPath { steps }),
                Some(b'.') => &rest[1..],
                Some(b'[') => continue,
                Some(_) => return Err("a name is not followed by `.` or `[`"),
            };
            if rest.starts_with('[') {
                return Err("a `.` is not followed by a name");
            }
        }
    }

    /// The text of the value that stands there in a document; None where nothing does. The document
    /// is read to its end; of two members of one name the last counts, as in PostgreSQL.
    pub fn open<'j>(&self, document: &'j str) -> Result<Option<&'j str>, JsonFault> {
        let mut scan = Scan::new(document);
        let mut found = scan.value()?;
        scan.end()?;
        for step in &self.steps {
            let next = match (step, found.as_bytes().first()) {
                (_, Some(b'n')) => None,
                (Step::Name(name), Some(b'{')) => member(found, name)?,
                (Step::Index(index), Some(b'[')) => super::Elements::of(found)?.iter().nth(*index),
                _ => return Err(JsonFault::OtherType),
            };
            match next {
                Some(part) => found = part,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }
}

impl std::fmt::Display for JsonPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, step) in self.steps.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Name(name) => {
                    let dot = if n == 0 { "" } else { "." };
                    let plain = self::name(name).is_ok_and(|(_, after)| after.is_empty());
                    let quote = if plain { "" } else { "\"" };
                    write!(f, "{dot}{quote}{name}{quote}")?;
                }
            }
        }
        Ok(())
    }
}

/// The name at the front, and what follows it.
fn name(text: &str) -> Result<(String, &str), &'static str> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, after) = quoted.split_once('"').ok_or("a `\"` is not closed")?;
        return Ok((name.to_owned(), after));
    }
    let end = text.find(['.', '[', ']', '"']).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    if name.is_empty() || name.trim() != name {
        return Err("a name is empty, or has white space at an end");
    }
    Ok((name.to_owned(), after))
}

/// The value of a member of an object that was read already.
fn member<'j>(object: &'j str, name: &str) -> Result<Option<&'j str>, JsonFault> {
    let mut scan = Scan::new(object);
    let mut found = None;
    scan.take(b'{');
    while !scan.take(b'}') {
        let key = scan.value()?;
        scan.take(b':');
        let value = scan.value()?;
        scan.take(b',');
        let inside = key.get(1..key.len().saturating_sub(1));
        if super::scan::is_spelt(inside.unwrap_or_default(), name) {
            found = Some(value);
        }
    }
    Ok(found)
}
