//! Avro schemas from files: an event's, as it is; for JSON payloads its fields, too.
//!
//! Of what Avro has, the fields are what this language has: values, enums, records, arrays of values,
//! null beside one of them. Anything else is refused by name, at its path in the schema.

use std::collections::HashMap;

use onramp_expression::JsonPath;
use onramp_finding::codes::files;
use serde_json::Value;

use super::product::Surroundings;
use super::source::{Opens, json_moment};
use crate::faults::Faults;
use crate::load::{inside, text_of};
use crate::yaml::Node;
use crate::{AvroFile, Field, Moment, Otherwise, Scalar, Shape, Source, Spanned};

/// Deeper schemas are refused; a record within itself has no end.
const MAX_DEPTH: usize = 16;

/// Why a part of a schema is refused: where, what, what to do.
struct Refused(String, String, &'static str);

/// The schema that a path names, and its fields where the payload is JSON.
pub(super) fn read(
    at: &Node,
    opens: Option<Opens<'_>>,
    with_fields: bool,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<(AvroFile, Vec<Field>)> {
    let name = at.text().filter(|t| !t.trim().is_empty())?;
    let path = inside(around.folder, at, faults)?;
    let text = match text_of(&path, name) {
        Ok(text) => text,
        Err(finding) => {
            faults.add(*finding);
            return None;
        }
    };
    let schema: Value = match serde_json::from_str(&text) {
        Ok(schema) => schema,
        Err(why) => {
            faults
                .error(&files::AVRO_FILE, at, format!("`{name}` is no JSON"))
                .because(format!(
                    "line {}, column {}: it ends or breaks off there",
                    why.line(),
                    why.column()
                ))
                .remedy("an `.avsc` file is an Avro schema in JSON");
            return None;
        }
    };
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
    let mut fields = Vec::new();
    if with_fields {
        let mut reader = Reader {
            at,
            opens: opens?,
            known: HashMap::new(),
            faults,
        };
        match reader.fields(&schema, "", 0) {
            Ok(read) => fields = read,
            Err(Refused(place, what, remedy)) => {
                let place = if place.is_empty() {
                    "the schema".to_owned()
                } else {
                    format!("`{place}`")
                };
                faults
                    .error(&files::AVRO_FILE, at, format!("{place} in `{name}` {what}"))
                    .because("what a JSON payload is checked against is made of the types that fields have")
                    .remedy(remedy);
                return None;
            }
        }
    }
    let text = schema.to_string();
    Some((AvroFile { record, text }, fields))
}

fn record_name(schema: &Value) -> Option<String> {
    let name = schema["name"].as_str()?;
    let is_record = schema["type"] == "record" && schema["fields"].is_array();
    is_record.then(|| match schema["namespace"].as_str() {
        Some(space) if !name.contains('.') && !space.is_empty() => format!("{space}.{name}"),
        _ => name.to_owned(),
    })
}

struct Reader<'r> {
    at: &'r Node,
    opens: Opens<'r>,
    /// Named types, by the names they were given.
    known: HashMap<String, Value>,
    faults: &'r Faults,
}

impl Reader<'_> {
    fn fields(&mut self, record: &Value, path: &str, depth: usize) -> Result<Vec<Field>, Refused> {
        if depth > MAX_DEPTH {
            let what = "is a record within itself, or too deep";
            return Err(refused(path, what, "flatten it"));
        }
        let all = record["fields"].as_array().map_or(&[][..], Vec::as_slice);
        let mut fields = Vec::with_capacity(all.len());
        for field in all {
            let Some(name) = field["name"].as_str() else {
                return Err(refused(path, "has a field without a name", "name it"));
            };
            let path = match path {
                "" => name.to_owned(),
                path => format!("{path}.{name}"),
            };
            let (optional, r#type) = nullable(&field["type"], &path)?;
            let (optional, shape) = (optional, self.shape(&r#type, &path, depth)?);
            if optional && matches!(shape, Shape::Record { .. }) {
                return Err(refused(
                    &path,
                    "is a record that may be null",
                    "make its fields nullable instead",
                ));
            }
            fields.push(self.field(name, optional, field["doc"].as_str(), shape));
        }
        Ok(fields)
    }

    fn field(&self, name: &str, optional: bool, doc: Option<&str>, shape: Shape) -> Field {
        Field {
            name: self.spanned(name.to_owned()),
            doc: doc.map(str::to_owned),
            optional,
            classification: None,
            protect: None,
            shape,
        }
    }

    fn spanned<T>(&self, value: T) -> Spanned<T> {
        self.faults.spanned(self.at, value)
    }

    /// A type, or the one that its name was given to.
    fn resolved(&mut self, r#type: &Value) -> Value {
        if let Some(name) = r#type.as_str()
            && let Some(known) = self
                .known
                .get(name)
                .or_else(|| self.known.get(name.rsplit('.').next()?))
        {
            return known.clone();
        }
        if let Some(name) = r#type["name"].as_str() {
            let space = r#type["namespace"].as_str();
            let full = space.map_or(name.to_owned(), |space| format!("{space}.{name}"));
            self.known.insert(name.to_owned(), r#type.clone());
            self.known.insert(full, r#type.clone());
        }
        r#type.clone()
    }

    fn shape(&mut self, r#type: &Value, path: &str, depth: usize) -> Result<Shape, Refused> {
        let r#type = self.resolved(r#type);
        let word = r#type.as_str().or_else(|| r#type["type"].as_str());
        match word {
            Some("record") => Ok(Shape::Record {
                fields: self.fields(&r#type, path, depth + 1)?,
            }),
            Some("array") => {
                let (optional, items) = nullable(&r#type["items"], path)?;
                let items = self.resolved(&items);
                let shape = self.single(&items, path, true)?;
                let name = path.rsplit('.').next().unwrap_or(path);
                Ok(Shape::Array {
                    items: Box::new(self.field(name, optional, None, shape)),
                    source: self.source(path, None)?,
                })
            }
            _ => self.single(&r#type, path, false),
        }
    }

    /// An enum, or a value.
    fn single(&mut self, r#type: &Value, path: &str, item: bool) -> Result<Shape, Refused> {
        let source = |reader: &Self, moment: Option<Moment>| match item {
            true => Ok(Source::Item {
                parse: moment.map(|moment| json_moment(moment, reader.at, reader.faults)),
            }),
            false => reader.source(path, moment),
        };
        if r#type["type"] == "enum" {
            let symbols = r#type["symbols"].as_array().map_or(&[][..], Vec::as_slice);
            let symbols = symbols.iter().filter_map(Value::as_str);
            let default = r#type["default"].as_str();
            return Ok(Shape::Enum {
                values: symbols
                    .map(|s| (self.spanned(s.to_owned()), self.spanned(s.to_owned())))
                    .collect(),
                default: default.map(|s| self.spanned(s.to_owned())),
                otherwise: Otherwise::Fail,
                source: source(self, None)?,
            });
        }
        let scalar = scalar(r#type, path)?;
        Ok(Shape::Scalar {
            r#type: self.spanned(scalar),
            source: source(self, Moment::of_type(&scalar.word()))?,
            lookup: None,
        })
    }

    fn source(&self, path: &str, moment: Option<Moment>) -> Result<Source, Refused> {
        let Ok(at) = JsonPath::parse(&self.opens.under(path)) else {
            return Err(refused(
                path,
                "has a name that no path can have",
                "rename it",
            ));
        };
        Ok(Source::Column {
            column: self.opens.column.clone(),
            at: Some(self.spanned(at)),
            parse: moment.map(|moment| json_moment(moment, self.at, self.faults)),
        })
    }
}

fn refused(path: &str, what: &str, remedy: &'static str) -> Refused {
    Refused(path.to_owned(), what.to_owned(), remedy)
}

/// Whether null may stand there, and what else.
fn nullable(r#type: &Value, path: &str) -> Result<(bool, Value), Refused> {
    match r#type.as_array().map(Vec::as_slice) {
        None => Ok((false, r#type.clone())),
        Some([null, other]) if null == "null" => Ok((true, other.clone())),
        Some(_) => Err(refused(
            path,
            "is a union other than of null, which comes first, and one type",
            "write `[\"null\", TYPE]`, or a field for each type",
        )),
    }
}

fn scalar(r#type: &Value, path: &str) -> Result<Scalar, Refused> {
    let word = r#type.as_str().or_else(|| r#type["type"].as_str());
    let logical = r#type["logicalType"].as_str();
    let number = |key: &str| r#type[key].as_u64().and_then(|n| u8::try_from(n).ok());
    Ok(match (word, logical) {
        (Some("boolean"), None) => Scalar::Boolean,
        (Some("int"), None) => Scalar::Int,
        (Some("int"), Some("date")) => Scalar::Date,
        (Some("long"), None) => Scalar::Long,
        (Some("long"), Some("timestamp-micros")) => Scalar::Timestamp,
        (Some("long"), Some("local-timestamp-micros")) => Scalar::LocalTimestamp,
        (Some("long"), Some("time-micros")) => Scalar::Time,
        (Some("double"), None) => Scalar::Double,
        (Some("string"), None) => Scalar::String,
        (Some("string"), Some("uuid")) => Scalar::Uuid,
        (Some("bytes"), Some("decimal")) => {
            let precision = number("precision").filter(|p| (1..=38).contains(p));
            let scale = number("scale").unwrap_or(0);
            match precision.filter(|precision| scale <= *precision) {
                Some(precision) => Scalar::Decimal { precision, scale },
                None => {
                    let what = "is a decimal of more than 38 digits";
                    return Err(refused(path, what, "make it a string"));
                }
            }
        }
        (Some(word), Some(logical)) => {
            return Err(refused(
                path,
                &format!("is a {word} of the logical type {logical}"),
                "use date, time-micros, timestamp-micros, local-timestamp-micros, decimal or uuid",
            ));
        }
        (word, None) => {
            return Err(refused(
                path,
                &format!("is of the type {}", word.unwrap_or("that stands there")),
                "use boolean, int, long, double, string, an enum, a record, or an array of values",
            ));
        }
        (None, Some(_)) => return Err(refused(path, "has no type", "give it one")),
    })
}
