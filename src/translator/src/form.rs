//! How a record's key and value become bytes.
//!
//! A document that fields open is read once a row, whatever their number: what each of them finds
//! there is noted in one pass over its text, when the first of them is met.

use onramp_connector::Value;
use onramp_expression::{JsonNotes, JsonPaths, Opened, Row, Scratch, json_value};

use crate::convert::{Out, Refusal};
use crate::many::Sink;
use crate::step::{Origin, Step, Trouble, document};
use crate::write;

/// Fields of further documents read each for itself.
const MOST_DOCUMENTS: usize = 4;

/// How a key's and a value's bytes are made.
#[derive(Debug)]
pub(crate) struct Form {
    /// The record's index.
    pub(crate) r#type: u16,
    pub(crate) key: Vec<Step>,
    key_schema_id: Option<u32>,
    pub(crate) value: Vec<Step>,
    value_schema_id: u32,
    /// Beside each step of the value: where it is noted what it opens.
    noted: Vec<Option<Noted>>,
    documents: Vec<Document>,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    document: usize,
    place: usize,
    opened: Opened,
}

/// A slot whose JSON is opened.
#[derive(Debug)]
struct Document {
    slot: usize,
    paths: JsonPaths,
}

/// A step's trouble and its path.
pub(crate) type FieldTrouble<'a> = (&'a str, Trouble);

/// Framing by the registry's convention: a zero, the schema's id, then Avro.
fn frame(schema_id: u32, out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&schema_id.to_be_bytes());
}

impl Form {
    /// A record's form; the key is text where its schema has no id.
    pub(crate) fn new(
        r#type: u16,
        (key, key_schema_id): (Vec<Step>, Option<u32>),
        (value, value_schema_id): (Vec<Step>, u32),
    ) -> Form {
        let mut noted = vec![None; value.len()];
        let mut documents: Vec<Document> = Vec::new();
        for step in &value {
            let Origin::Json(slot, ..) = &step.origin else {
                continue;
            };
            if documents.len() == MOST_DOCUMENTS || documents.iter().any(|d| d.slot == *slot) {
                continue;
            }
            let of_slot = value.iter().enumerate().filter_map(|(at, step)| {
                let of_this = matches!(&step.origin, Origin::Json(s, ..) if s == slot);
                match &step.origin {
                    Origin::Json(_, path, opened) if of_this => Some((at, path, *opened)),
                    _ => None,
                }
            });
            let (paths, places) = JsonPaths::new(of_slot.clone().map(|(_, path, _)| path));
            for ((at, _, opened), place) in of_slot.zip(places) {
                noted[at] = Some(Noted {
                    document: documents.len(),
                    place,
                    opened,
                });
            }
            documents.push(Document { slot: *slot, paths });
        }
        Form {
            r#type,
            key,
            key_schema_id,
            value,
            value_schema_id,
            noted,
            documents,
        }
    }

    /// Writes what stands before a value.
    pub(crate) fn frame(&self, out: &mut Vec<u8>) {
        frame(self.value_schema_id, out);
    }

    /// Writes the key's bytes.
    pub(crate) fn key<'a, R: Row<'a>>(
        &'a self,
        row: &R,
        scratch: &'a Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldTrouble<'a>> {
        match self.key_schema_id {
            None => self.subject(row, scratch, out),
            Some(id) => {
                frame(id, out);
                for step in &self.key {
                    write::avro(&run(step, row, scratch)?, out);
                }
                Ok(())
            }
        }
    }

    /// Whether the key's bytes are its text.
    pub(crate) fn key_is_text(&self) -> bool {
        self.key_schema_id.is_none()
    }

    /// Writes the key as text: one field's own, several as a JSON array.
    pub(crate) fn subject<'a, R: Row<'a>>(
        &'a self,
        row: &R,
        scratch: &'a Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldTrouble<'a>> {
        // Writing to memory does not fail.
        if let [step] = &self.key[..] {
            let _ = write::text(&run(step, row, scratch)?, out);
            return Ok(());
        }
        out.push(b'[');
        for (n, step) in self.key.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            let _ = write::json(&run(step, row, scratch)?, out);
        }
        out.push(b']');
        Ok(())
    }

    /// Writes the value's bytes; no array of it is written beyond `most` bytes.
    #[inline]
    pub(crate) fn value<'a, R: Row<'a>>(
        &'a self,
        row: &R,
        scratch: &'a Scratch,
        most: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldTrouble<'a>> {
        frame(self.value_schema_id, out);
        if !self.documents.is_empty() {
            return self.value_of_documents(row, scratch, most, out);
        }
        for step in &self.value {
            let value = run(step, row, scratch)?;
            field(step, &value, scratch, most, out)?;
        }
        Ok(())
    }

    /// The same of fields of which some open documents: apart, so that the others' way stays short.
    #[inline(never)]
    fn value_of_documents<'a, R: Row<'a>>(
        &'a self,
        row: &R,
        scratch: &'a Scratch,
        most: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldTrouble<'a>> {
        let mut read = [None; MOST_DOCUMENTS];
        for (step, noted) in self.value.iter().zip(&self.noted) {
            let source = match noted {
                None => step.source(row, scratch),
                Some(noted) => self.part(noted, row, scratch, &mut read),
            };
            let value = source.and_then(|value| step.finished(value, scratch));
            let value = value.map_err(|trouble| (&*step.path, trouble))?;
            field(step, &value, scratch, most, out)?;
        }
        Ok(())
    }

    /// What stands where a field opens a document, which is read unless it was for this row.
    #[inline]
    fn part<'a, R: Row<'a>>(
        &'a self,
        noted: &Noted,
        row: &R,
        scratch: &'a Scratch,
        read: &mut [Option<JsonNotes<'a, 'a>>; MOST_DOCUMENTS],
    ) -> Result<Value<'a>, Trouble> {
        let known = &mut read[noted.document];
        let notes = match known {
            Some(notes) => *notes,
            None => {
                let Document { slot, paths } = &self.documents[noted.document];
                let column = row.value(*slot).map_err(|e| Trouble::of_column(*slot, e))?;
                let in_column = |refusal| Trouble {
                    slot: Some(*slot),
                    ..Trouble::of_refusal(refusal)
                };
                let Some(text) = document(column).map_err(in_column)? else {
                    return Ok(Value::Null);
                };
                let notes = paths.read(text, scratch);
                let notes = notes.map_err(|why| in_column(Refusal::of_json(why)))?;
                *known.insert(notes)
            }
        };
        let part = notes.part(noted.place).and_then(|part| match part {
            None => Ok(Value::Null),
            Some(part) => json_value(part, noted.opened, scratch),
        });
        let slot = Some(self.documents[noted.document].slot);
        part.map_err(|why| Trouble {
            slot,
            ..Trouble::of_refusal(Refusal::of_json(why))
        })
    }
}

/// Writes a field's value, behind its union's branch where it has one.
#[inline]
fn field<'a>(
    step: &'a Step,
    value: &Out<'a>,
    scratch: &'a Scratch,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), FieldTrouble<'a>> {
    if let Some(branches) = step.optional {
        if *value == Out::Null {
            out.push(branches.null);
            return Ok(());
        }
        out.push(branches.value);
    }
    if let Out::Many(many) = value {
        let end = out.len().saturating_add(most);
        let mut sink = Sink { scratch, end, out };
        return many.write(&mut sink).map_err(|(path, trouble)| {
            let slot = step.slot();
            (path.unwrap_or(&*step.path), Trouble { slot, ..trouble })
        });
    }
    write::avro(value, out);
    Ok(())
}

#[inline]
fn run<'a, R: Row<'a>>(
    step: &'a Step,
    row: &R,
    scratch: &'a Scratch,
) -> Result<Out<'a>, FieldTrouble<'a>> {
    step.value(row, scratch)
        .map_err(|trouble| (&*step.path, trouble))
}
