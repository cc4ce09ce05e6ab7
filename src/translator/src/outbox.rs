//! Rows of an outbox: each is an event that the application wrote.
//!
//! An insert gives its event, a delete nothing, an update what `on_update` says. Key, id, time and
//! headers are columns as they stand; the payload is opened by the event's fields, or, where it is
//! Avro already, checked and passed through.

use std::collections::HashMap;

use onramp_connector::{Operation, Value};
use onramp_event::Span;
use onramp_expression::{Expression, JsonNotes, JsonPath, JsonPaths, Opened, Row, json_value};
use onramp_finding::codes::mapping;
use onramp_language::{OnUpdate, UnknownType};

use crate::avro::Avro;
use crate::change::ChangeView;
use crate::convert::{Out, Refusal};
use crate::enumeration::{CODE_BYTES, code_of};
use crate::form::{FieldTrouble, Form};
use crate::output::{Output, Own};
use crate::program::ProductProgram;
use crate::row::{RowPair, no_image, span};
use crate::step::{RowView, Trouble, document};
use crate::write;

/// What is later than that is refused by brokers (`message.timestamp.after.max.ms`), and stops all.
const MOST_AHEAD_US: i64 = 3_600_000_000;

/// Where something of an event stands: a column, or a part of a message's JSON.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) slot: usize,
    pub(crate) path: Option<JsonPath>,
}

/// A row, and what of a message stands at the places of [`Columns`], which is read once.
struct Said<'a, 'r> {
    row: &'r RowView<'a, 'r>,
    notes: Option<JsonNotes<'a, 'a>>,
    columns: &'a Columns,
}

/// Where an outbox has what of an event.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) id: Place,
    pub(crate) r#type: Place,
    pub(crate) key: Place,
    pub(crate) payload: Place,
    pub(crate) timestamp: Option<Place>,
    pub(crate) partition: Option<Place>,
    pub(crate) headers: Vec<(String, Place)>,
    /// Of messages: the paths of all of these, each noted at its number.
    pub(crate) content: Option<(JsonPaths, Vec<usize>)>,
}

impl Columns {
    /// All of them, in one order.
    fn all(&self) -> impl Iterator<Item = &Place> {
        let own = [&self.id, &self.r#type, &self.key, &self.payload];
        let headers = self.headers.iter().map(|(_, place)| place);
        let own = own.into_iter().chain(&self.timestamp);
        own.chain(&self.partition).chain(headers)
    }

    /// Their paths into a message's content, where they have such.
    pub(crate) fn content(&self) -> Option<(JsonPaths, Vec<usize>)> {
        self.payload.path.as_ref()?;
        Some(JsonPaths::new(
            self.all().filter_map(|place| place.path.as_ref()),
        ))
    }
}

/// A compiled outbox.
#[derive(Debug)]
pub(crate) struct OutboxProgram {
    pub(crate) filter: Option<Expression>,
    pub(crate) columns: Columns,
    /// By what the application writes for its type.
    pub(crate) events: HashMap<Box<[u8]>, OutboxEvent>,
    pub(crate) unknown_type: UnknownType,
    pub(crate) on_update: OnUpdate,
}

/// One type of events.
#[derive(Debug)]
pub(crate) struct OutboxEvent {
    pub(crate) form: Form,
    /// Of payloads that are passed through.
    pub(crate) avro: Option<Avro>,
}

impl<'a, 'b: 'a> RowPair<'a, 'b> {
    pub(crate) fn outbox(
        &self,
        product: &'a ProductProgram,
        outbox: &'a OutboxProgram,
        new: Option<&RowView<'a, '_>>,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        let row = match (self.change.operation, new) {
            (Operation::Delete, _) => return Ok(()),
            (Operation::Update, _) if outbox.on_update == OnUpdate::Skip => return Ok(()),
            (_, None) => {
                return Err(no_image(
                    &mapping::ROW_UNREADABLE,
                    "the change has no new row",
                ));
            }
            (_, Some(row)) => row,
        };
        let matches = match &outbox.filter {
            None => Ok(true),
            Some(filter) => filter.holds(&self.inserted(row), self.scratch),
        };
        if self.change.operation == Operation::Update {
            // What cannot be told of an updated row may be an event's.
            if !matches.unwrap_or(true) {
                return Ok(());
            }
            if outbox.on_update == OnUpdate::Warn {
                output.arena.passed_over += 1;
                return Ok(());
            }
            return Err(no_image(
                &mapping::EVENT_UPDATED,
                mapping::EVENT_UPDATED.reason,
            ));
        }
        if !matches.map_err(|e| ("where", Trouble::of_expression(e)))? {
            return Ok(());
        }
        let said = self.said(&outbox.columns, row)?;
        match self.event_of(outbox, &said)? {
            Some(event) => self.tell(product, event, &said, output),
            None => match outbox.unknown_type {
                UnknownType::Ignore => Ok(()),
                UnknownType::Fail | UnknownType::Quarantine => Err((
                    "type",
                    Trouble::new(
                        &mapping::UNKNOWN_EVENT,
                        "the row's type is none of the product's events",
                    )
                    .in_slot(outbox.columns.r#type.slot),
                )),
            },
        }
    }

    fn said<'r>(
        &self,
        columns: &'a Columns,
        row: &'r RowView<'a, 'r>,
    ) -> Result<Said<'a, 'r>, FieldTrouble<'a>> {
        let mut notes = None;
        if let Some((paths, _)) = &columns.content {
            // What is met first.
            let slot = columns.r#type.slot;
            let value = row.value(slot);
            let value = value.map_err(|why| ("type", Trouble::of_column(slot, why)))?;
            let read = document(value).and_then(|text| match text {
                None => Ok(None),
                Some(text) => {
                    let read = paths.read(text, self.scratch);
                    read.map(Some).map_err(Refusal::of_json)
                }
            });
            notes = read.map_err(|refusal| ("type", in_slot(slot, refusal)))?;
        }
        Ok(Said {
            row,
            notes,
            columns,
        })
    }

    fn event_of(
        &self,
        outbox: &'a OutboxProgram,
        said: &Said<'a, '_>,
    ) -> Result<Option<&'a OutboxEvent>, FieldTrouble<'a>> {
        let place = &outbox.columns.r#type;
        let value = self.part("type", said, place, Opened::Code)?;
        let mut room = [0; CODE_BYTES];
        let code = code_of(value, &mut room);
        let code = code.map_err(|refusal| ("type", in_slot(place.slot, refusal)))?;
        Ok(code.and_then(|code| outbox.events.get(code)))
    }

    fn tell(
        &self,
        product: &'a ProductProgram,
        event: &'a OutboxEvent,
        row: &Said<'a, '_>,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        let transaction = output.transaction();
        let columns = row.columns;
        let key = self.text("key", row, &columns.key, output)?;
        let value = self.payload(event, row, output)?;
        let own = Own {
            id: Some(self.text("id", row, &columns.id, output)?),
            at_us: match &columns.timestamp {
                None => None,
                Some(place) => self.moment(row, place, output.stated.committed_at_us)?,
            },
            partition: match &columns.partition {
                None => None,
                Some(place) => self.partition(row, place, product.target.partitions)?,
            },
            headers: self.headers(row, output)?,
        };
        output
            .record_with(
                &product.target,
                event.form.r#type,
                transaction,
                (key, key),
                value,
                own,
            )
            .map_err(|trouble| ("", trouble))
    }

    fn inserted<'r>(&self, row: &'r RowView<'a, 'r>) -> ChangeView<'a, 'r> {
        ChangeView {
            columns: self.program.wanted.len(),
            after: Some(row),
            before: None,
            operation: self.change.operation,
            transaction: self.stated.transaction(),
        }
    }

    /// None where the payload is null or empty.
    fn payload(
        &self,
        event: &'a OutboxEvent,
        said: &Said<'a, '_>,
        output: &mut Output<'_>,
    ) -> Result<Option<Span>, FieldTrouble<'a>> {
        let place = &said.columns.payload;
        let payload = self.part("payload", said, place, Opened::Raw)?;
        let most = output.row_bytes;
        let bytes = &mut output.arena.bytes;
        let start = bytes.len();
        match (payload, &event.avro) {
            (Value::Null | Value::Text("") | Value::Bytes([]), _) => return Ok(None),
            (Value::Bytes(datum), Some(avro)) => {
                if !avro.fits(datum) {
                    return Err((
                        "payload",
                        Trouble::new(
                            &mapping::ROW_PAYLOAD,
                            "the payload is not Avro by the event's schema",
                        )
                        .in_slot(place.slot),
                    ));
                }
                event.form.frame(bytes);
                bytes.extend_from_slice(datum);
            }
            _ => {
                let row = self.inserted(said.row);
                event.form.value(&row, self.scratch, most, bytes)?;
            }
        }
        Ok(Some(span(start, bytes.len())))
    }

    /// What stands there.
    fn part(
        &self,
        field: &'static str,
        said: &Said<'a, '_>,
        place: &'a Place,
        opened: Opened,
    ) -> Result<Value<'a>, FieldTrouble<'a>> {
        let slot = place.slot;
        let Some((_, places)) = &said.columns.content else {
            let value = said.row.value(slot);
            return value.map_err(|why| (field, Trouble::of_column(slot, why)));
        };
        let mut all = said.columns.all();
        let at = all.position(|of| std::ptr::eq(of, place));
        let at = at.and_then(|at| places.get(at));
        let part = match (said.notes, at) {
            (Some(notes), Some(at)) => notes.part(*at),
            _ => Ok(None),
        };
        let value = part.and_then(|part| match part {
            None => Ok(Value::Null),
            Some(part) => json_value(part, opened, self.scratch),
        });
        value.map_err(|why| (field, in_slot(slot, Refusal::of_json(why))))
    }

    /// The text of what is there.
    fn text(
        &self,
        field: &'static str,
        said: &Said<'a, '_>,
        place: &'a Place,
        output: &mut Output<'_>,
    ) -> Result<Span, FieldTrouble<'a>> {
        let value = self.part(field, said, place, Opened::Code)?;
        if value == Value::Null {
            let trouble = Trouble::new(
                &mapping::ROW_NULL,
                "the row holds null, and every event has one",
            )
            .in_slot(place.slot);
            return Err((field, trouble));
        }
        let bytes = &mut output.arena.bytes;
        let start = bytes.len();
        // Writing to memory does not fail.
        let _ = write::text(&Out::of_column(value), bytes);
        Ok(span(start, bytes.len()))
    }

    /// Microseconds since 1970; None of null.
    fn moment(
        &self,
        said: &Said<'a, '_>,
        place: &'a Place,
        committed_at_us: i64,
    ) -> Result<Option<i64>, FieldTrouble<'a>> {
        let us = match self.part("timestamp", said, place, Opened::Int)? {
            Value::Null => return Ok(None),
            Value::Timestamp(us) => us,
            Value::Int(ms) => ms
                .checked_mul(1000)
                .ok_or_else(|| refused("timestamp", place, "the number is no time"))?,
            _ => return Err(refused("timestamp", place, "the value is no time")),
        };
        if us < 0 {
            let reason = "the time is before 1970, which no event in Kafka is";
            return Err(refused("timestamp", place, reason));
        }
        // A fixture's row has no commit.
        if committed_at_us > 0 && us.saturating_sub(committed_at_us) > MOST_AHEAD_US {
            let reason = "the time is more than an hour after the commit, which Kafka refuses";
            return Err(refused("timestamp", place, reason));
        }
        Ok(Some(us))
    }

    fn partition(
        &self,
        said: &Said<'a, '_>,
        place: &'a Place,
        partitions: i32,
    ) -> Result<Option<i32>, FieldTrouble<'a>> {
        match self.part("partition", said, place, Opened::Int)? {
            Value::Null => Ok(None),
            Value::Int(number) => match i32::try_from(number) {
                Ok(number) if (0..partitions).contains(&number) => Ok(Some(number)),
                _ => Err(refused(
                    "partition",
                    place,
                    "the topic has no partition of this number",
                )),
            },
            _ => Err(refused("partition", place, "the value is no whole number")),
        }
    }

    fn headers(
        &self,
        said: &Said<'a, '_>,
        output: &mut Output<'_>,
    ) -> Result<Span, FieldTrouble<'a>> {
        let start = output.arena.bytes.len();
        for (name, place) in &said.columns.headers {
            let value = self.part("headers", said, place, Opened::Code)?;
            if value != Value::Null {
                output.arena.push_header(name.as_bytes(), |bytes| {
                    // Writing to memory does not fail.
                    let _ = write::text(&Out::of_column(value), bytes);
                });
            }
        }
        Ok(span(start, output.arena.bytes.len()))
    }
}

fn in_slot(slot: usize, refusal: Refusal) -> Trouble {
    Trouble {
        slot: Some(slot),
        ..Trouble::of_refusal(refusal)
    }
}

fn refused<'a>(field: &'static str, place: &Place, reason: &'static str) -> FieldTrouble<'a> {
    let trouble = Trouble::new(&mapping::ROW_VALUE, reason).in_slot(place.slot);
    (field, trouble)
}
