//! The columns of an outbox, resolved.

use onramp_connector::{Column, ValueType};
use onramp_expression::{JsonPath, Operations};
use onramp_finding::Finding;
use onramp_finding::codes::{files::AVRO_FILE, mapping};
use onramp_language::{CONTENT, Outbox, Payload, PayloadForm, Record, Spanned};

use super::Planner;
use crate::avro::Avro;
use crate::change::Places;
use crate::outbox::{Columns, Place};

/// What a column may be.
type Fits = fn(&ValueType) -> bool;

impl Planner<'_> {
    /// What follows speaks of the row that was inserted, and of its transaction.
    pub(super) fn of_inserts(&mut self) {
        let insert = Operations {
            insert: true,
            update: false,
            delete: false,
        };
        let places = Places::of_change(self.columns_count(), insert);
        let scope =
            onramp_expression::Scope::new().columns("row", self.columns(places.after, false));
        let without = self.product.tells_rows();
        let scope = onramp_expression::transaction(scope, places.change, without);
        self.scope = self.of_table(scope);
        self.places = places;
    }

    /// A payload that is passed through has a schema by which it is checked.
    pub(super) fn is_avro(&mut self, record: Record<'_>) {
        let payload = record.event.and_then(|event| event.payload.as_ref());
        let Some(Payload {
            form: PayloadForm::Avro,
            schema: Some(schema),
            ..
        }) = payload
        else {
            return;
        };
        if let (None, Some(event)) = (Avro::new(&schema.text), record.event) {
            let message = format!("the schema of {} is not Avro", event.name.value);
            let finding = Finding::error(&AVRO_FILE, event.name.place(), message);
            let reason = "a type in it is none of Avro's, and no name that stands before it";
            self.say(finding.because(reason).remedy("correct the file"));
        }
    }

    pub(super) fn is_payload(&self, column: &Column) -> bool {
        let outbox = self.product.outbox();
        outbox.is_some_and(|outbox| match outbox.messages {
            true => column.name == CONTENT,
            false => outbox.columns.payload.value == column.name,
        })
    }

    pub(super) fn outbox(&mut self, outbox: &Outbox) -> Option<Columns> {
        let columns = &outbox.columns;
        let code: Fits = |t| {
            matches!(
                t,
                ValueType::Text | ValueType::Enum(_) | ValueType::Int(_) | ValueType::Bool
            )
        };
        let exact: Fits = |t| {
            !matches!(
                t,
                ValueType::Float | ValueType::Double | ValueType::Json | ValueType::Array(_)
            )
        };
        let time: Fits = |t| matches!(t, ValueType::Timestamp | ValueType::Int(_));
        let whole: Fits = |t| matches!(t, ValueType::Int(_));
        let id = self.own(&columns.id, exact, "an id has one text");
        let r#type = self.own(&columns.r#type, code, "a type is a text, or a number");
        let key = self.own(&columns.key, exact, "a key has one text");
        let (fits, reason, remedy) = self.payload();
        let payload = self.place(&columns.payload, fits, (&reason, remedy));
        let timestamp = columns.timestamp.as_ref().map(|column| {
            self.own(
                column,
                time,
                "a moment is a timestamp with its zone, or milliseconds since 1970",
            )
        });
        let partition = columns
            .partition
            .as_ref()
            .map(|column| self.own(column, whole, "a partition is a whole number"));
        let mut headers = Vec::with_capacity(columns.headers.len());
        for (name, column) in &columns.headers {
            let slot = self.own(column, |_| true, "")?;
            headers.push((name.value.clone(), slot));
        }
        let mut columns = Columns {
            id: id?,
            r#type: r#type?,
            key: key?,
            payload: payload?,
            timestamp: match timestamp {
                None => None,
                Some(slot) => Some(slot?),
            },
            partition: match partition {
                None => None,
                Some(slot) => Some(slot?),
            },
            headers,
            content: None,
        };
        columns.content = columns.content();
        Some(columns)
    }

    /// What the payload's column may be, and why: that of the events in JSON, of those in Avro, or of
    /// both.
    fn payload(&self) -> (Fits, String, &'static str) {
        let named = |form: PayloadForm| {
            let records = self.product.records();
            let of_form = records.into_iter().filter_map(|record| record.event);
            let mut of_form = of_form.filter(|event| {
                let payload = event.payload.as_ref();
                payload.is_some_and(|payload| payload.form == form)
            });
            of_form.next().map(|event| event.name.value.clone())
        };
        let Some(avro) = named(PayloadForm::Avro) else {
            return (
                |t| matches!(t, ValueType::Json | ValueType::Text | ValueType::Bytes),
                "JSON is a column of JSON, of text, or of bytes that are text in UTF-8".to_owned(),
                "name another column",
            );
        };
        let beside = match named(PayloadForm::Json) {
            Some(json) => format!("; {json} is JSON, which bytes hold too, as text in UTF-8"),
            None => String::new(),
        };
        (
            |t| matches!(t, ValueType::Bytes),
            format!("{avro} is Avro, which is bytes{beside}"),
            "name a column of bytes",
        )
    }

    fn own(&mut self, name: &Spanned<String>, fits: Fits, reason: &str) -> Option<Place> {
        self.place(name, fits, (reason, "name another column"))
    }

    fn place(
        &mut self,
        name: &Spanned<String>,
        fits: Fits,
        (reason, remedy): (&str, &str),
    ) -> Option<Place> {
        if self.product.outbox().is_some_and(|outbox| outbox.messages) {
            let content = Spanned {
                value: CONTENT.to_owned(),
                ..name.clone()
            };
            let (slot, _) = self.column(&content)?;
            self.plan.slots.push(slot);
            // One that cannot be read was told with the file.
            let path = Some(JsonPath::parse(name).ok()?);
            return Some(Place { slot, path });
        }
        let (slot, column) = self.column(name)?;
        if !fits(&column.value_type) {
            let message = format!("column {} ({}) does not fit", column.name, column.type_name);
            let finding = Finding::error(&mapping::TYPE_MISMATCH, name.place(), message);
            self.say(finding.because(reason).remedy(remedy));
            return None;
        }
        self.plan.slots.push(slot);
        Some(Place { slot, path: None })
    }
}
