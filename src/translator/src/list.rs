//! Arrays: each element converted as a field of its own, straight into the event.

use onramp_connector::{Undecodable, Value};
use onramp_expression::{JsonElements, Opened, Scratch, json_value};
use onramp_finding::codes::mapping;

use crate::convert::{Convert, Out, Refusal};
use crate::step::Trouble;
use crate::write;

/// What each element of an array becomes.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) convert: Convert,
    pub(crate) optional: bool,
    /// Of a JSON array: what each element is opened as.
    pub(crate) opened: Option<Opened>,
}

/// An array that is still to be written.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    items: &'a Items,
    elements: Elements<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Elements<'a> {
    Column(onramp_connector::Elements<'a>),
    Json(JsonElements<'a>),
}

impl PartialEq for List<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.items, other.items)
            && match (&self.elements, &other.elements) {
                (Elements::Column(a), Elements::Column(b)) => a == b,
                (Elements::Json(a), Elements::Json(b)) => a == b,
                _ => false,
            }
    }
}

impl Items {
    /// The array that a column or a part of its JSON holds.
    #[inline]
    pub(crate) fn of<'a>(&'a self, value: Value<'a>) -> Result<Out<'a>, Refusal> {
        let elements = match (value, self.opened) {
            (Value::Array(elements), None) => Elements::Column(elements),
            (Value::Text(part), Some(_)) => {
                Elements::Json(JsonElements::of(part).map_err(Refusal::of_json)?)
            }
            _ => return Err(Refusal::OTHER_TYPE),
        };
        Ok(Out::List(List {
            items: self,
            elements,
        }))
    }
}

impl List<'_> {
    /// Writes it in Avro's binary form: one block, and the end. What the elements become may be longer
    /// than they are, so it ends once it is longer than `most`, which no event may be.
    pub(crate) fn write(
        &self,
        scratch: &Scratch,
        most: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let end = out.len().saturating_add(most);
        let count = match &self.elements {
            Elements::Column(elements) => i64::from(elements.len()),
            Elements::Json(elements) => elements.iter().count() as i64,
        };
        if count > 0 {
            write::number(count, out);
        }
        match &self.elements {
            Elements::Column(elements) => {
                for element in elements.iter() {
                    self.element(element.map_err(Trouble::of_element)?, end, out)?;
                }
            }
            Elements::Json(elements) => {
                for part in elements.iter() {
                    let opened = self.items.opened.unwrap_or(Opened::Raw);
                    let element = json_value(part, opened, scratch)
                        .map_err(|why| Trouble::of_refusal(Refusal::of_json(why)))?;
                    self.element(element, end, out)?;
                }
            }
        }
        out.push(0);
        Ok(())
    }

    #[inline]
    fn element(&self, element: Value<'_>, end: usize, out: &mut Vec<u8>) -> Result<(), Trouble> {
        if out.len() > end {
            return Err(Trouble::of_refusal(Refusal {
                code: &mapping::ROW_TOO_LARGE,
                reason: mapping::ROW_TOO_LARGE.reason,
            }));
        }
        let converted = self.items.convert.apply(element);
        let value = converted.map_err(Trouble::of_refusal)?;
        match (self.items.optional, value == Out::Null) {
            (true, true) => out.push(0),
            (false, true) => {
                return Err(Trouble::of_refusal(Refusal {
                    code: &mapping::ROW_NULL,
                    reason: "an element of the array is null and its items are required",
                }));
            }
            (optional, false) => {
                if optional {
                    out.push(2);
                }
                write::avro(&value, out);
            }
        }
        Ok(())
    }
}

impl Trouble {
    fn of_element(why: Undecodable) -> Self {
        let code = Trouble::code_of(why);
        Trouble {
            code,
            reason: why.reason(),
            slot: None,
        }
    }
}
