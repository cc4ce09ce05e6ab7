//! Values of several: arrays, and in JSON records and maps. Each part is converted as a field of its
//! own, straight into the event.
//!
//! A record notes what its fields find in its text in one pass. The room for that is made once for
//! an array, and a record within an element uses the rest of it: of what stands beside each other in
//! the shape one is written after the other.

use onramp_connector::{Undecodable, Value};
use onramp_expression::{
    JsonElements, JsonFault, JsonNote, JsonNotes, JsonPath, JsonPaths, NotedElements, Opened,
    Scratch, json_members, json_room, json_value,
};
use onramp_finding::codes::mapping;

use crate::convert::{Convert, Out, Refusal};
use crate::protection::Protection;
use crate::step::{Branches, Origin, Step, Trouble};
use crate::write;

/// What each element of an array, or each value of a map, becomes.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) convert: Convert,
    pub(crate) protect: Option<Protection>,
    pub(crate) optional: Option<Branches>,
    /// In JSON: what each is opened as.
    pub(crate) opened: Option<Opened>,
}

/// A record in JSON: its fields, each with the place of its note.
#[derive(Debug)]
pub(crate) struct Parts {
    paths: JsonPaths,
    fields: Vec<(Step, usize)>,
    /// How many notes it needs, and what is within it.
    room: usize,
}

/// A value of several that is still to be written.
#[derive(Debug, Clone, Copy)]
pub struct Many<'a>(What<'a>);

#[derive(Debug, Clone, Copy)]
enum What<'a> {
    /// A column's array.
    Column(&'a Items, onramp_connector::Elements<'a>),
    /// An array, a record and a map, each as it stands in JSON.
    List(&'a Items, &'a str),
    Record(&'a Parts, &'a str),
    Map(&'a Items, &'a str),
}

impl PartialEq for Many<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (What::Column(of, a), What::Column(by, b)) => std::ptr::eq(*of, *by) && a == b,
            (What::List(of, a), What::List(by, b)) | (What::Map(of, a), What::Map(by, b)) => {
                std::ptr::eq(*of, *by) && a == b
            }
            (What::Record(of, a), What::Record(by, b)) => std::ptr::eq(*of, *by) && a == b,
            _ => false,
        }
    }
}

/// A trouble, and the path of the field within that has it.
pub(crate) type Within<'a> = (Option<&'a str>, Trouble);

/// Where a value goes.
pub(crate) struct Sink<'o, 'a> {
    pub(crate) scratch: &'a Scratch,
    /// What the parts become may be longer than they are, so writing ends once `out` is longer than
    /// this, which no event may be.
    pub(crate) end: usize,
    pub(crate) out: &'o mut Vec<u8>,
}

fn refused<'a>(refusal: Refusal) -> Within<'a> {
    (None, Trouble::of_refusal(refusal))
}

fn no_json<'a>(why: JsonFault) -> Within<'a> {
    refused(Refusal::of_json(why))
}

impl Convert {
    /// How many notes writing it needs.
    fn room(&self) -> usize {
        match self {
            Convert::List(items) | Convert::Map(items) => items.convert.room(),
            Convert::Record(parts) => parts.room,
            _ => 0,
        }
    }
}

impl Items {
    /// The array that a column or a part of its JSON holds.
    #[inline]
    pub(crate) fn list<'a>(&'a self, value: Value<'a>) -> Result<Out<'a>, Refusal> {
        let what = match (value, self.opened) {
            (Value::Array(elements), None) => What::Column(self, elements),
            (Value::Text(part), Some(_)) if part.starts_with('[') => What::List(self, part),
            (Value::Text(_), Some(_)) => return Err(Refusal::of_json(JsonFault::OtherType)),
            _ => return Err(Refusal::OTHER_TYPE),
        };
        Ok(Out::Many(Many(what)))
    }

    /// The map that a part of JSON holds.
    pub(crate) fn map<'a>(&'a self, value: Value<'a>) -> Result<Out<'a>, Refusal> {
        object(value).map(|part| Out::Many(Many(What::Map(self, part))))
    }

    #[inline]
    fn element<'a>(
        &'a self,
        element: Value<'a>,
        room: &mut [JsonNote<'a>],
        sink: &mut Sink<'_, 'a>,
    ) -> Result<(), Within<'a>> {
        sink.goes_on()?;
        let mut value = self.convert.apply(element).map_err(refused)?;
        if value == Out::Null {
            return self.null(sink);
        }
        if let Some(protect) = &self.protect {
            value = protect.apply(&value, sink.scratch).map_err(refused)?;
        }
        if let Some(branches) = self.optional {
            sink.out.push(branches.value);
        }
        sink.value(&value, room)
    }

    fn null<'a>(&self, sink: &mut Sink<'_, 'a>) -> Result<(), Within<'a>> {
        match self.optional {
            Some(branches) => {
                sink.out.push(branches.null);
                Ok(())
            }
            None => Err(refused(Refusal {
                code: &mapping::ROW_NULL,
                reason: "an element of the array is null and its items are required",
            })),
        }
    }
}

fn object(value: Value<'_>) -> Result<&str, Refusal> {
    match value {
        Value::Text(part) if part.starts_with('{') => Ok(part),
        Value::Text(_) => Err(Refusal::of_json(JsonFault::OtherType)),
        _ => Err(Refusal::OTHER_TYPE),
    }
}

impl Parts {
    /// A record of these fields, each with where it stands; a constant stands nowhere.
    pub(crate) fn new(fields: Vec<(Step, Option<JsonPath>)>) -> Parts {
        let (paths, places) = JsonPaths::new(fields.iter().filter_map(|(_, path)| path.as_ref()));
        let mut places = places.into_iter();
        let placed = |(step, path): (Step, Option<JsonPath>)| {
            let place = path.and_then(|_| places.next());
            (step, place.unwrap_or_default())
        };
        let fields: Vec<(Step, usize)> = fields.into_iter().map(placed).collect();
        let within = fields.iter().map(|(step, _)| step.convert.room()).max();
        Parts {
            room: paths.count() + within.unwrap_or_default(),
            paths,
            fields,
        }
    }

    /// The record that a part of JSON holds.
    pub(crate) fn record<'a>(&'a self, value: Value<'a>) -> Result<Out<'a>, Refusal> {
        object(value).map(|part| Out::Many(Many(What::Record(self, part))))
    }

    fn write<'a>(
        &'a self,
        notes: JsonNotes<'_, 'a>,
        room: &mut [JsonNote<'a>],
        sink: &mut Sink<'_, 'a>,
    ) -> Result<(), Within<'a>> {
        for (step, place) in &self.fields {
            let part = match &step.origin {
                Origin::Part(opened) => notes.part(*place).and_then(|part| match part {
                    None => Ok(Value::Null),
                    Some(part) => json_value(part, *opened, sink.scratch),
                }),
                _ => Ok(Value::Null),
            };
            let at_step = |trouble| (Some(&*step.path), trouble);
            let part = part.map_err(|why| at_step(Trouble::of_refusal(Refusal::of_json(why))))?;
            let value = step.finished(part, sink.scratch).map_err(at_step)?;
            if let Some(branches) = step.optional {
                let null = value == Out::Null;
                sink.out
                    .push(if null { branches.null } else { branches.value });
            }
            sink.value(&value, room)
                .map_err(|(path, trouble)| (path.or(Some(&*step.path)), trouble))?;
        }
        Ok(())
    }
}

impl<'a> Many<'a> {
    /// Writes it in Avro's binary form; arrays and maps are one block, and the end.
    pub(crate) fn write(&self, sink: &mut Sink<'_, 'a>) -> Result<(), Within<'a>> {
        let room = match &self.0 {
            What::Column(..) => 0,
            What::List(items, _) | What::Map(items, _) => items.convert.room(),
            What::Record(parts, _) => parts.room,
        };
        let room = json_room(room, sink.scratch).map_err(no_json)?;
        self.write_with(room, sink)
    }

    fn write_with(
        &self,
        room: &mut [JsonNote<'a>],
        sink: &mut Sink<'_, 'a>,
    ) -> Result<(), Within<'a>> {
        match &self.0 {
            What::Column(items, elements) => {
                let start = sink.out.len();
                for element in elements.iter() {
                    let element = element.map_err(|why| (None, Trouble::of_element(why)))?;
                    items.element(element, room, sink)?;
                }
                sink.block(start, elements.len() as usize);
            }
            What::List(items, part) => list(items, part, room, sink)?,
            What::Record(parts, part) => {
                let (own, rest) = room.split_at_mut(parts.paths.count());
                let notes = parts.paths.read_into(part, own).map_err(no_json)?;
                parts.write(notes, rest, sink)?;
            }
            What::Map(items, part) => {
                let opened = items.opened.unwrap_or(Opened::Raw);
                let members = json_members(part, sink.scratch).map_err(no_json)?;
                let start = sink.out.len();
                for (name, _, part) in members {
                    write::avro(&Out::Text(name), sink.out);
                    let value = json_value(part, opened, sink.scratch).map_err(no_json)?;
                    items.element(value, room, sink)?;
                }
                sink.block(start, members.len());
            }
        }
        Ok(())
    }
}

fn list<'a>(
    items: &'a Items,
    part: &'a str,
    room: &mut [JsonNote<'a>],
    sink: &mut Sink<'_, 'a>,
) -> Result<(), Within<'a>> {
    let start = sink.out.len();
    let mut count = 0;
    if let Convert::Record(parts) = &items.convert {
        let (own, rest) = room.split_at_mut(parts.paths.count());
        let mut elements = NotedElements::of(part, &parts.paths, own).map_err(no_json)?;
        while let Some((element, notes)) = elements.next() {
            sink.goes_on()?;
            match element.as_bytes().first() {
                Some(b'n') => items.null(sink)?,
                Some(b'{') => {
                    if let Some(branches) = items.optional {
                        sink.out.push(branches.value);
                    }
                    parts.write(notes, rest, sink)?;
                }
                _ => return Err(no_json(JsonFault::OtherType)),
            }
            count += 1;
        }
    } else {
        let opened = items.opened.unwrap_or(Opened::Raw);
        for part in JsonElements::of(part).map_err(no_json)?.iter() {
            let element = json_value(part, opened, sink.scratch).map_err(no_json)?;
            items.element(element, room, sink)?;
            count += 1;
        }
    }
    sink.block(start, count);
    Ok(())
}

impl<'a> Sink<'_, 'a> {
    fn goes_on(&self) -> Result<(), Within<'a>> {
        match self.out.len() > self.end {
            false => Ok(()),
            true => Err(refused(Refusal {
                code: &mapping::ROW_TOO_LARGE,
                reason: mapping::ROW_TOO_LARGE.reason,
            })),
        }
    }

    #[inline]
    fn value(&mut self, value: &Out<'a>, room: &mut [JsonNote<'a>]) -> Result<(), Within<'a>> {
        match value {
            Out::Many(many) => many.write_with(room, self),
            value => {
                write::avro(value, self.out);
                Ok(())
            }
        }
    }

    /// Puts the count before what was written from there on, and the end behind it: how many there
    /// are is known when they have been read.
    fn block(&mut self, start: usize, count: usize) {
        if count > 0 {
            let before = self.out.len();
            write::number(count as i64, self.out);
            let digits = self.out.len() - before;
            self.out[start..].rotate_right(digits);
        }
        self.out.push(0);
    }
}

impl Trouble {
    fn of_element(why: Undecodable) -> Self {
        let code = Trouble::code_of(why);
        Trouble::new(code, why.reason())
    }
}
