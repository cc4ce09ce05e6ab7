//! What has parts, resolved: arrays, and in JSON records and maps.

use onramp_connector::ValueType;
use onramp_expression::{JsonPath, Opened};
use onramp_finding::{Finding, Place, codes::mapping};
use onramp_language::{Field, Shape, Source};

use super::Planner;
use super::conversion::source_of;
use super::source::opening;
use crate::contract;
use crate::convert::Convert;
use crate::many::{Items, Parts};
use crate::step::{Branches, Step};

/// The field whose parts are resolved.
pub(super) struct Many<'m> {
    /// It, which protects its elements.
    pub(super) of: &'m Field,
    /// Its path, and where its source is written.
    pub(super) path: &'m str,
    pub(super) place: Place,
}

impl Planner<'_> {
    /// What such a field, or an element of it, becomes.
    pub(super) fn many(
        &mut self,
        field: &Field,
        whole: &Many<'_>,
        path: &str,
        given: Option<&ValueType>,
        from: &str,
    ) -> Option<Convert> {
        Some(match &field.shape {
            Shape::Array { items, .. } => {
                Convert::List(Box::new(self.items(items, whole, path, given, from)?))
            }
            _ if given != Some(&ValueType::Json) => {
                let message = format!("{from} holds no JSON to open (field {path})");
                let finding = Finding::error(&mapping::TYPE_MISMATCH, whole.place.clone(), message);
                self.say(
                    finding
                        .because("records and maps that are values of their own stand in JSON")
                        .remedy("name a column of JSON, or open text that is JSON with `at`"),
                );
                return None;
            }
            Shape::Map { values, .. } => {
                Convert::Map(Box::new(self.items(values, whole, path, given, from)?))
            }
            Shape::Record { fields, .. } => {
                let mut parts = Vec::new();
                self.parts(fields, path, &mut parts);
                Convert::Record(Box::new(Parts::new(parts)))
            }
            Shape::Scalar { .. } | Shape::Enum { .. } => return None,
        })
    }

    /// What each element of an array, or each value of a map, becomes.
    fn items(
        &mut self,
        items: &Field,
        whole: &Many<'_>,
        path: &str,
        given: Option<&ValueType>,
        from: &str,
    ) -> Option<Items> {
        let has_parts = !matches!(items.shape, Shape::Scalar { .. } | Shape::Enum { .. });
        let (of, opened) = match given {
            Some(ValueType::Array(_)) if has_parts => {
                let message = format!("{from} holds no JSON to open (field {path})");
                let finding = Finding::error(&mapping::TYPE_MISMATCH, whole.place.clone(), message);
                self.say(
                    finding
                        .because("elements that are records or arrays stand in an array in JSON")
                        .remedy("name a column of JSON; give each element of this one a value"),
                );
                return None;
            }
            Some(ValueType::Array(of)) => (Some((**of).clone()), None),
            Some(ValueType::Json) => self.opened_items(items, whole, path)?,
            _ => {
                let message = format!("{from} cannot become an array (field {path})");
                self.say(
                    Finding::error(&mapping::TYPE_MISMATCH, whole.place.clone(), message)
                        .because("it is neither an array nor JSON")
                        .remedy("name a column that is, or open text that is JSON with `at`"),
                );
                return None;
            }
        };
        let (path, from) = (format!("{path}[]"), format!("an element of {from}"));
        let (convert, protect) = match &items.shape {
            Shape::Array { .. } | Shape::Record { .. } | Shape::Map { .. } => {
                (self.many(items, whole, &path, of.as_ref(), &from)?, None)
            }
            _ => {
                let json = opened.is_some();
                let place = whole.place.clone();
                let (convert, _) = self.convert(items, &path, place, of.as_ref(), &from, json)?;
                (convert, self.protect(whole.of, whole.path)?)
            }
        };
        Some(Items {
            convert,
            protect,
            optional: Branches::of(items),
            opened,
        })
    }

    #[allow(clippy::type_complexity)] // What they are of, and what each is opened as.
    fn opened_items(
        &mut self,
        items: &Field,
        whole: &Many<'_>,
        path: &str,
    ) -> Option<(Option<ValueType>, Option<Opened>)> {
        match opening(&items.shape) {
            Ok((opened, of)) => Some((of, Some(opened))),
            Err(refused) => {
                let message = format!("the elements of field {path} cannot be opened in JSON");
                let finding = Finding::error(refused.code, whole.place.clone(), message);
                self.say(finding.because(refused.reason).remedy(refused.fix));
                None
            }
        }
    }

    /// The fields of a record in JSON, each with where it stands there.
    fn parts(&mut self, fields: &[Field], parent: &str, out: &mut Vec<(Step, Option<JsonPath>)>) {
        for field in fields.iter().filter(|f| !contract::is_dropped(f)) {
            let path = format!("{parent}.{}", field.name.value);
            if let Shape::Record {
                fields,
                source: None,
            } = &field.shape
            {
                self.parts(fields, &path, out);
                continue;
            }
            let at = match source_of(&field.shape) {
                Some(Source::Item { at: Some(at), .. }) => Some(at.value.clone()),
                _ => None,
            };
            out.extend(self.step(field, &path).map(|(step, _)| (step, at)));
        }
    }
}
