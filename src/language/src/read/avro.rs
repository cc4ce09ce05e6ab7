//! Avro schemas from files: an event's, as it is; for JSON payloads its fields, too.
//!
//! Of what Avro has, the fields are what JSON says in one way: values, enums, records, arrays, maps,
//! null beside one of them. Anything else is refused by name, at its path in the schema.

mod names;
mod sound;
mod types;

use onramp_expression::JsonPath;
use onramp_finding::codes::files;
use serde_json::Value;

use self::names::Names;
use self::types::{One, Refused, nullable, scalar};
use super::product::Surroundings;
use super::standing::{Opens, json_moment};
use crate::faults::Faults;
use crate::load::{inside, text_of};
use crate::yaml::Node;
use crate::{AvroFile, Field, InAvro, Moment, Otherwise, Shape, Source, Spanned, Unit};

/// Deeper schemas are refused; a record within itself has no end.
const MAX_DEPTH: usize = 16;

/// So many fields, items and values are read: records that hold each other several times grow fast.
const MOST_FIELDS: usize = 2_000;

/// The schema that a path names, and its fields where the payload is JSON.
pub(super) fn read(
    at: &Node,
    opens: Opens<'_>,
    with_fields: bool,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<(AvroFile, Vec<Field>)> {
    let name = at.text().filter(|t| !t.trim().is_empty())?;
    let schema = schema_of(at, name, around, faults)?;
    let of_record = record_name(&schema);
    let Some(record) = of_record else {
        faults
            .error(
                &files::AVRO_FILE,
                at,
                format!("`{name}` is no record's schema"),
            )
            .because("an event is a record with a name and fields")
            .remedy(
                "write `{\"type\": \"record\", \"namespace\": …, \"name\": …, \"fields\": […]}`",
            );
        return None;
    };
    let mut refused = sound::faults(&schema);
    let mut fields = Vec::new();
    if with_fields {
        let mut reader = Reader {
            at,
            opens,
            names: Names::default(),
            left: MOST_FIELDS,
            refused: Vec::new(),
            faults,
        };
        fields = reader.payload(&schema);
        // What is not Avro is said once.
        let own = reader.refused.into_iter();
        let own = own.filter(|own| refused.iter().all(|known| known.path != own.path));
        refused.extend(own.collect::<Vec<_>>());
    }
    if !refused.is_empty() {
        tell(refused, at, name, faults);
        return None;
    }
    let text = schema.to_string();
    Some((AvroFile { record, text }, fields))
}

fn tell(refused: Vec<Refused>, at: &Node, name: &str, faults: &mut Faults) {
    for Refused {
        path,
        what,
        why,
        remedy,
    } in refused
    {
        let place = match path.as_str() {
            "" => "the schema".to_owned(),
            path => format!("`{path}`"),
        };
        faults
            .error(&files::AVRO_FILE, at, format!("{place} in `{name}` {what}"))
            .because(why)
            .remedy(remedy);
    }
}

/// What stands in the file, which is JSON.
fn schema_of(
    at: &Node,
    name: &str,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Value> {
    let path = inside(around.folder, at, faults)?;
    let text = match text_of(&path, name) {
        Ok(text) => text,
        Err(finding) => {
            faults.add(*finding);
            return None;
        }
    };
    match serde_json::from_str(&text) {
        Ok(schema) => Some(schema),
        Err(why) => {
            faults
                .error(&files::AVRO_FILE, at, format!("`{name}` is no JSON"))
                .because(format!(
                    "line {}, column {}: it ends or breaks off there",
                    why.line(),
                    why.column()
                ))
                .remedy("an `.avsc` file is an Avro schema in JSON");
            None
        }
    }
}

fn record_name(schema: &Value) -> Option<String> {
    let name = schema["name"].as_str()?;
    let is_record = schema["type"] == "record" && schema["fields"].is_array();
    is_record.then(|| match schema["namespace"].as_str() {
        Some(space) if !name.contains('.') && !space.is_empty() => format!("{space}.{name}"),
        _ => name.to_owned(),
    })
}

/// Where in JSON stands what is read.
#[derive(Clone, Copy)]
struct Stands<'s> {
    /// In the payload, or in an element or a record that is a value of its own.
    in_payload: bool,
    path: &'s str,
}

impl Stands<'_> {
    const PAYLOAD: Stands<'static> = Stands {
        in_payload: true,
        path: "",
    };
    const ITSELF: Stands<'static> = Stands {
        in_payload: false,
        path: "",
    };
}

struct Reader<'r> {
    at: &'r Node,
    opens: Opens<'r>,
    names: Names,
    /// How many more fields may be read.
    left: usize,
    refused: Vec<Refused>,
    faults: &'r Faults,
}

impl Reader<'_> {
    fn payload(&mut self, schema: &Value) -> Vec<Field> {
        let named = self.names.resolved(schema);
        self.names.enter(&named);
        self.fields(schema, Stands::PAYLOAD, "", 0)
    }

    /// The fields of a record, without those that are refused.
    fn fields(
        &mut self,
        record: &Value,
        stands: Stands<'_>,
        path: &str,
        depth: usize,
    ) -> Vec<Field> {
        let all = record["fields"].as_array().map_or(&[][..], Vec::as_slice);
        let mut fields = Vec::with_capacity(all.len().min(MOST_FIELDS));
        for field in all {
            let Some(name) = field["name"].as_str() else {
                let refused = Refused::new(path, "has a field without a name", "name it");
                self.refused.push(refused);
                continue;
            };
            let (path, at) = (under(path, name), under(stands.path, name));
            let stands = Stands {
                path: &at,
                ..stands
            };
            match self.value(name, &field["type"], stands, &path, depth) {
                Ok(mut read) => {
                    read.doc = field["doc"].as_str().map(str::to_owned);
                    fields.push(read);
                }
                Err(refused) => self.refused.push(refused),
            }
        }
        fields
    }

    /// A field, an array's items or a map's values.
    fn value(
        &mut self,
        name: &str,
        r#type: &Value,
        stands: Stands<'_>,
        path: &str,
        depth: usize,
    ) -> Result<Field, Refused> {
        if depth > MAX_DEPTH {
            let what = format!("is more than {MAX_DEPTH} deep");
            return Err(Refused::new(path, &what, "flatten it"));
        }
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => {
                let what = format!("is one field too many: {MOST_FIELDS} are read");
                return Err(Refused::new(path, &what, "make the event smaller"));
            }
        };
        let (null, r#type) = nullable(r#type, path)?;
        let named = self.names.resolved(r#type);
        if self.names.is_within(&named) {
            let what = "is a record within itself";
            return Err(Refused::new(
                path,
                what,
                "say how deep it may be: a record for each level",
            ));
        }
        let outside = self.names.enter(&named);
        let optional = null.is_some();
        let shape = self.shape(name, &named.r#type, optional, stands, path, depth);
        self.names.leave(outside);
        let (shape, fixed) = shape?;
        Ok(Field {
            name: self.spanned(name.to_owned()),
            doc: None,
            optional,
            in_avro: InAvro {
                null_last: null.is_some_and(|null| null.is_last),
                fixed,
            },
            classification: None,
            protect: None,
            shape,
        })
    }

    fn spanned<T>(&self, value: T) -> Spanned<T> {
        self.faults.spanned(self.at, value)
    }

    /// What it is, and of how many bytes where their number is fixed.
    fn shape(
        &mut self,
        name: &str,
        r#type: &Value,
        optional: bool,
        stands: Stands<'_>,
        path: &str,
        depth: usize,
    ) -> Result<(Shape, Option<u16>), Refused> {
        let word = r#type.as_str().or_else(|| r#type["type"].as_str());
        let each = format!("{path}[]");
        let shape = match word {
            Some("record") => {
                // One that may be null, or is an element, is a value; else it is its fields.
                let whole = optional || stands.path.is_empty();
                let inside = match whole {
                    true => Stands::ITSELF,
                    false => stands,
                };
                Shape::Record {
                    source: match whole {
                        true => Some(self.source(stands, None, path)?),
                        false => None,
                    },
                    fields: self.fields(r#type, inside, path, depth + 1),
                }
            }
            Some("array") => Shape::Array {
                source: self.source(stands, None, path)?,
                items: Box::new(self.value(
                    name,
                    &r#type["items"],
                    Stands::ITSELF,
                    &each,
                    depth + 1,
                )?),
            },
            Some("map") => Shape::Map {
                source: self.source(stands, None, path)?,
                values: Box::new(self.value(
                    name,
                    &r#type["values"],
                    Stands::ITSELF,
                    &each,
                    depth + 1,
                )?),
            },
            _ => return self.single(r#type, stands, path),
        };
        Ok((shape, None))
    }

    /// An enum, or a value.
    fn single(
        &mut self,
        r#type: &Value,
        stands: Stands<'_>,
        path: &str,
    ) -> Result<(Shape, Option<u16>), Refused> {
        if r#type["type"] == "enum" {
            let symbols = r#type["symbols"].as_array().map_or(&[][..], Vec::as_slice);
            let symbols = symbols.iter().filter_map(Value::as_str);
            let default = r#type["default"].as_str();
            let shape = Shape::Enum {
                values: symbols
                    .map(|s| (self.spanned(s.to_owned()), self.spanned(s.to_owned())))
                    .collect(),
                default: default.map(|s| self.spanned(s.to_owned())),
                otherwise: Otherwise::Fail,
                source: self.source(stands, None, path)?,
            };
            return Ok((shape, None));
        }
        let One {
            scalar,
            unit,
            fixed,
        } = scalar(r#type, path)?;
        let moment = Moment::of_type(&scalar.word());
        let shape = Shape::Scalar {
            r#type: self.spanned(scalar),
            source: self.source(stands, moment.map(|moment| (moment, unit)), path)?,
            lookup: None,
        };
        Ok((shape, fixed))
    }

    fn source(
        &self,
        stands: Stands<'_>,
        moment: Option<(Moment, Unit)>,
        path: &str,
    ) -> Result<Source, Refused> {
        let at = match (stands.in_payload, stands.path) {
            (false, "") => None,
            (false, path) => Some(path.to_owned()),
            (true, path) => Some(self.opens.under(path)),
        };
        let at = match at.map(|at| JsonPath::parse(&at)) {
            None => None,
            Some(Ok(at)) => Some(self.spanned(at)),
            Some(Err(_)) => {
                return Err(Refused::new(
                    path,
                    "has a name that no path can have",
                    "rename it",
                ));
            }
        };
        let parse = moment.map(|(moment, unit)| json_moment(moment, unit, self.at, self.faults));
        Ok(match (stands.in_payload, self.opens.column) {
            (true, Some(column)) => Source::Column {
                column: column.clone(),
                at,
                parse,
            },
            _ => Source::Item { at, parse },
        })
    }
}

fn under(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}
