//! Where a field's value comes from, resolved: a slot, a part of its JSON, an expression, a constant.

use onramp_connector::{Column, ValueType};
use onramp_expression::{JsonPath, Opened};
use onramp_finding::{Finding, Place, codes::mapping};
use onramp_language::{Field, Scalar, Shape, Source, Spanned};

use super::Planner;
use crate::conversion::Refused;
use crate::lookup::Fixed;
use crate::step::Origin;
use onramp_finding::nearest;

/// A resolved source.
pub(super) struct Resolved {
    pub(super) origin: Origin,
    /// The type of what it gives; None: null alone, or a code of whatever type.
    pub(super) given: Option<ValueType>,
    pub(super) nullable: bool,
    /// Its name in messages.
    pub(super) name: String,
    /// Whether it is a part of JSON.
    pub(super) json: bool,
}

impl<'p> Planner<'p> {
    pub(super) fn resolve(
        &mut self,
        field: &Field,
        path: &str,
        source: &Source,
    ) -> Option<Resolved> {
        match source {
            Source::Column { column, at, .. } => {
                let (slot, found) = self.column(column)?;
                let slot = self.places.row + slot;
                self.reads(slot);
                let name = format!("column {} ({})", found.name, found.type_name);
                // A column that is itself an array or a record in JSON needs no path.
                let whole = match field.shape {
                    Shape::Array { .. } => found.value_type == ValueType::Json,
                    Shape::Record { .. } | Shape::Map { .. } => true,
                    _ => false,
                };
                match at {
                    None if !whole => Some(Resolved {
                        origin: Origin::Slot(slot),
                        given: Some(found.value_type.clone()),
                        nullable: found.nullable,
                        name,
                        json: false,
                    }),
                    at => {
                        let steps = at
                            .as_ref()
                            .map_or_else(JsonPath::default, |at| at.value.clone());
                        self.opened(field, path, (slot, found, name), steps, at.as_ref())
                    }
                }
            }
            Source::Expression(text) => {
                let compiled = self.expression(text)?;
                let (r#type, nullable) = compiled.result();
                let (name, given) = (format!("the expression ({type})"), r#type.of_values());
                Some(Resolved {
                    origin: Origin::Expression(Box::new(compiled)),
                    given,
                    nullable,
                    name,
                    json: false,
                })
            }
            Source::Constant(constant) => {
                let Shape::Scalar { r#type, .. } = &field.shape else {
                    return None;
                };
                Some(Resolved {
                    origin: Origin::Constant(Fixed::new(&constant.value.value, r#type.value)),
                    given: None,
                    nullable: false,
                    name: "the constant".into(),
                    json: false,
                })
            }
            Source::Item { at, .. } => self.part(field, path, at.as_ref()),
        }
    }

    /// A part of the element, or of the record, that a field stands in.
    fn part(
        &mut self,
        field: &Field,
        path: &str,
        at: Option<&Spanned<JsonPath>>,
    ) -> Option<Resolved> {
        let place = at.map_or_else(|| field.name.place(), Spanned::place);
        let (opened, given) = self.opening(field, path, place)?;
        Some(Resolved {
            origin: Origin::Part(opened),
            given,
            nullable: false,
            name: match at {
                Some(at) => format!("{} in JSON", at.value),
                None => "a part of JSON".to_owned(),
            },
            json: true,
        })
    }

    /// A part of a column's JSON, opened as the field's type asks.
    fn opened(
        &mut self,
        field: &Field,
        path: &str,
        (slot, column, name): (usize, &Column, String),
        steps: JsonPath,
        at: Option<&Spanned<JsonPath>>,
    ) -> Option<Resolved> {
        let place = at.map_or_else(|| field.name.place(), Spanned::place);
        let holds_json = match column.value_type {
            ValueType::Json | ValueType::Text => true,
            // Beside events in Avro: text in UTF-8.
            ValueType::Bytes => self.is_payload(column),
            _ => false,
        };
        if !holds_json {
            let message = format!("{name} holds no JSON to open (field {path})");
            self.say(
                Finding::error(&mapping::TYPE_MISMATCH, place, message)
                    .because("`at` opens columns of JSON, or of text that is JSON")
                    .remedy("name such a column, or leave `at` out"),
            );
            return None;
        }
        let (opened, given) = self.opening(field, path, place)?;
        let name = match at {
            Some(at) => format!("{} in {name}", at.value),
            None => name,
        };
        Some(Resolved {
            origin: Origin::Json(slot, steps, opened),
            given,
            // Whether something stands there nobody declares; a row in which nothing does says so.
            // An event without a payload has no fields that could be null.
            nullable: column.nullable && !self.is_payload(column),
            name,
            json: true,
        })
    }

    /// What a field is opened as, or that it cannot be.
    fn opening(
        &mut self,
        field: &Field,
        path: &str,
        place: Place,
    ) -> Option<(Opened, Option<ValueType>)> {
        match opening(&field.shape) {
            Ok(opening) => Some(opening),
            Err(refused) => {
                let message = format!("field {path} cannot be opened in JSON");
                self.say(
                    Finding::error(refused.code, place, message)
                        .because(refused.reason)
                        .remedy(refused.fix),
                );
                None
            }
        }
    }

    pub(super) fn column(&mut self, name: &Spanned<String>) -> Option<(usize, &'p Column)> {
        let table = self.table;
        let place = table.columns.iter().position(|c| c.name == name.value);
        let Some((column, slot)) = place.and_then(|at| {
            let slot = (self.slot_of)(at)?;
            Some((&table.columns[at], slot))
        }) else {
            let mut finding = Finding::error(
                &mapping::COLUMN_UNKNOWN,
                name.place(),
                format!("table {} has no column {:?}", table.name, name.value),
            );
            let known = table.columns.iter().map(|c| c.name.as_str());
            if let Some(near) = nearest(name, known) {
                finding = finding.remedy(format!("did you mean {near}?"));
            }
            self.say(finding);
            return None;
        };
        if column.value_type == ValueType::Unsupported {
            let message = format!(
                "column {} is of type {}, which is not carried",
                column.name, column.type_name
            );
            self.say(
                Finding::error(&mapping::COLUMN_UNSUPPORTED, name.place(), message)
                    .remedy(mapping::COLUMN_UNSUPPORTED.remedy),
            );
            return None;
        }
        Some((slot, column))
    }
}

/// What a field's value is opened as in JSON, and what that gives.
pub(super) fn opening(shape: &Shape) -> Result<(Opened, Option<ValueType>), Refused> {
    let refused = |reason: &str, fix: &str| Refused {
        code: &mapping::TYPE_MISMATCH,
        reason: reason.to_owned(),
        fix: fix.to_owned(),
    };
    let r#type = match shape {
        Shape::Enum { .. }
        | Shape::Scalar {
            lookup: Some(_), ..
        } => return Ok((Opened::Code, None)),
        Shape::Array { .. } | Shape::Record { .. } | Shape::Map { .. } => {
            return Ok((Opened::Raw, Some(ValueType::Json)));
        }
        Shape::Scalar { r#type, .. } => r#type.value,
    };
    Ok(match r#type {
        Scalar::Boolean => (Opened::Bool, Some(ValueType::Bool)),
        Scalar::Int => (Opened::Int, Some(ValueType::Int(32))),
        Scalar::Long => (Opened::Int, Some(ValueType::Int(64))),
        Scalar::Double => (Opened::Double, Some(ValueType::Double)),
        Scalar::Decimal { .. } => (Opened::Decimal, Some(ValueType::Decimal(None))),
        Scalar::Json => (Opened::Raw, Some(ValueType::Json)),
        Scalar::String
        | Scalar::Uuid
        | Scalar::Date
        | Scalar::Timestamp
        | Scalar::LocalTimestamp
        | Scalar::Time => (Opened::Text, Some(ValueType::Text)),
        Scalar::Float => (Opened::Float, Some(ValueType::Float)),
        Scalar::Bytes => return Err(refused("JSON has no bytes", "make it a string")),
    })
}
