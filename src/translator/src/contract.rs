//! What consumers are promised: a product's Avro schemas, and hashes of contract and mapping.

use onramp_language::{
    EventType, Fallback, Field, KeyFormat, Kind, Lookup, Otherwise, Outbox, Parse, Product,
    Protect, Record, Scalar, Shape, Source, Spanned,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::enumeration;
use crate::lookup;
use crate::names::pascal;

/// A product's contract, derived from its file alone: the same file gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// The values' schemas, one a record, in the file's order.
    pub values: Vec<ValueSchema>,
    /// The key's Avro schema where `key_format: avro`; without documentation, since its id is part
    /// of the key's bytes and must not change with words.
    pub key_schema: Option<String>,
    /// SHA-256 of all schemas, in hexadecimal.
    pub contract_hash: String,
    /// SHA-256 of all that decides which events a row gives, in hexadecimal.
    pub mapping_hash: String,
}

/// The Avro schema of a product's values, or of one type of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueSchema {
    /// The event's name; None of an entity.
    pub event: Option<String>,
    /// The record's full name: namespace and name.
    pub record: String,
    /// The schema with its documentation, as JSON.
    pub schema: String,
}

/// Whether the field is left out of the schema.
pub(crate) fn is_dropped(field: &Field) -> bool {
    matches!(field.protect.as_deref(), Some(Protect::Drop))
}

/// Whether a text takes the place of the field's value.
fn gives_text(field: &Field) -> bool {
    field.protect.as_deref().is_some_and(Protect::gives_text)
}

/// Derives a product's contract.
pub fn contract(product: &Product) -> Contract {
    let name = pascal(&product.name.name);
    let namespace = product.name.domain.replace('-', "_");
    let records = product.records();
    let values: Vec<ValueSchema> = records
        .iter()
        .map(|record| value(product, *record, &name, &namespace))
        .collect();
    let key_schema = (product.key_format == KeyFormat::Avro).then(|| {
        let name = format!("{name}Key");
        let mut names = vec![name.clone()];
        let key: Vec<Value> = product
            .key_fields()
            .map(|field| self::field(field, &name, &mut names, false))
            .collect();
        json!({"type": "record", "name": name, "namespace": namespace, "fields": key}).to_string()
    });
    let all = match &values[..] {
        // As it was when there were entities alone: what was published has this hash.
        [one] if one.event.is_none() => json!([one.schema, key_schema]),
        many => {
            let many: Vec<&str> = many.iter().map(|v| v.schema.as_str()).collect();
            json!([many, key_schema])
        }
    };
    Contract {
        contract_hash: hash(&all),
        mapping_hash: hash(&mapping(product)),
        values,
        key_schema,
    }
}

fn value(product: &Product, record: Record<'_>, of_product: &str, namespace: &str) -> ValueSchema {
    let payload = record.event.and_then(|event| event.payload.as_ref());
    if let Some(schema) = payload.and_then(|payload| payload.schema.as_ref()) {
        return ValueSchema {
            event: record.event.map(|e| e.name.value.clone()),
            record: schema.record.clone(),
            schema: schema.text.clone(),
        };
    }
    let (name, doc) = match record.event {
        None => (of_product.to_owned(), product.description.clone()),
        Some(event) => (
            event.name.value.clone(),
            event.doc.clone().unwrap_or_default(),
        ),
    };
    let mut names = vec![name.clone()];
    let mut value = Map::new();
    value.insert("type".into(), "record".into());
    value.insert("name".into(), name.clone().into());
    value.insert("namespace".into(), namespace.into());
    if !doc.is_empty() {
        value.insert("doc".into(), doc.into());
    }
    let fields = fields(record.fields, &name, &mut names, true);
    value.insert("fields".into(), fields.into());
    ValueSchema {
        event: record.event.map(|e| e.name.value.clone()),
        record: format!("{namespace}.{name}"),
        schema: Value::Object(value).to_string(),
    }
}

fn hash(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fields(fields: &[Field], parent: &str, names: &mut Vec<String>, docs: bool) -> Vec<Value> {
    fields
        .iter()
        .filter(|f| !is_dropped(f))
        .map(|f| field(f, parent, names, docs))
        .collect()
}

fn field(field: &Field, parent: &str, names: &mut Vec<String>, docs: bool) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), field.name.value.clone().into());
    if docs {
        if let Some(doc) = &field.doc {
            out.insert("doc".into(), doc.clone().into());
        }
        if let Some(classification) = &field.classification {
            out.insert("classification".into(), classification.clone().into());
        }
    }
    // Pseudonyms, which may be keys, are told by documentation alone: a key's schema has none.
    let protection = match field.protect.as_deref() {
        Some(Protect::Mask { .. }) => Some("mask"),
        Some(Protect::Encrypt(_)) => Some("aes-siv"),
        _ => None,
    };
    if let Some(protection) = protection {
        out.insert("protection".into(), protection.into());
        out.insert("protects".into(), word(&field.innermost().shape).into());
    }
    let r#type = shape(field, parent, names, docs);
    if field.optional {
        out.insert("type".into(), json!(["null", r#type]));
        out.insert("default".into(), Value::Null);
    } else {
        out.insert("type".into(), r#type);
    }
    Value::Object(out)
}

fn shape(field: &Field, parent: &str, names: &mut Vec<String>, docs: bool) -> Value {
    match &field.shape {
        Shape::Array { items, .. } if gives_text(field) => {
            json!({"type": "array", "items": texts(items)})
        }
        _ if gives_text(field) => "string".into(),
        Shape::Scalar { r#type, .. } => scalar(r#type.value),
        Shape::Enum {
            values,
            default,
            otherwise,
            ..
        } => {
            let name = named(parent, field, names);
            let symbols = enumeration::symbols(values, default.as_ref(), otherwise);
            let mut out = json!({"type": "enum", "name": name, "symbols": symbols});
            if let Some(default) = default {
                out["default"] = default.value.clone().into();
            }
            out
        }
        Shape::Array { items, .. } => {
            let r#type = shape(items, parent, names, docs);
            json!({"type": "array", "items": or_null(items, r#type)})
        }
        Shape::Map { values, .. } => {
            let r#type = shape(values, parent, names, docs);
            json!({"type": "map", "values": or_null(values, r#type)})
        }
        Shape::Record { fields: inner, .. } => {
            let name = named(parent, field, names);
            let inner = fields(inner, &name, names, docs);
            json!({"type": "record", "name": name, "fields": inner})
        }
    }
}

/// The type of elements in whose place a text stands.
fn texts(items: &Field) -> Value {
    let r#type = match &items.shape {
        Shape::Array { items, .. } => json!({"type": "array", "items": texts(items)}),
        _ => "string".into(),
    };
    or_null(items, r#type)
}

fn or_null(items: &Field, r#type: Value) -> Value {
    match items.optional {
        true => json!(["null", r#type]),
        false => r#type,
    }
}

/// The type of the values behind a protection, in the product file's word.
fn word(shape: &Shape) -> String {
    match shape {
        Shape::Scalar { r#type, .. } => r#type.value.word(),
        Shape::Enum { .. } => "enum".to_owned(),
        Shape::Record { .. } => "record".to_owned(),
        Shape::Array { .. } => "array".to_owned(),
        Shape::Map { .. } => "map".to_owned(),
    }
}

/// A nested type is named for its path; where two paths give one name, the later is numbered.
fn named(parent: &str, field: &Field, names: &mut Vec<String>) -> String {
    let base = format!("{parent}{}", pascal(&field.name));
    let mut name = base.clone();
    let mut n = 2;
    while names.contains(&name) {
        name = format!("{base}{n}");
        n += 1;
    }
    names.push(name.clone());
    name
}

fn scalar(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Boolean => "boolean".into(),
        Scalar::Int => "int".into(),
        Scalar::Long => "long".into(),
        Scalar::Float => "float".into(),
        Scalar::Double => "double".into(),
        Scalar::String => "string".into(),
        Scalar::Bytes => "bytes".into(),
        Scalar::Decimal { precision, scale } => json!({
            "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale
        }),
        Scalar::Date => json!({"type": "int", "logicalType": "date"}),
        Scalar::Timestamp => json!({"type": "long", "logicalType": "timestamp-micros"}),
        Scalar::LocalTimestamp => json!({"type": "long", "logicalType": "local-timestamp-micros"}),
        Scalar::Time => json!({"type": "long", "logicalType": "time-micros"}),
        Scalar::Uuid => json!({"type": "string", "logicalType": "uuid"}),
        Scalar::Json => json!({"type": "string", "contentType": "application/json"}),
    }
}

fn mapping(product: &Product) -> Value {
    let key: Vec<&str> = product.key.iter().map(|k| k.as_str()).collect();
    let tables: Vec<_> = product.tables.named.iter().map(|n| &n.value).collect();
    let (read, tables) = match product.tables.union {
        false => ("table", json!(tables.first())),
        true => ("tables", json!([tables, product.tables.moves])),
    };
    let mut mapping = json!({
        (read): tables,
        "where": product.filter.as_ref().map(|f| &f.value),
        "key": key,
        "key_format": match product.key_format { KeyFormat::String => "string", KeyFormat::Avro => "avro" },
    });
    let of = |fields: &[Field]| fields.iter().map(field_mapping).collect::<Vec<_>>();
    match &product.kind {
        Kind::Entity { fields } => mapping["fields"] = json!(of(fields)),
        Kind::Events { events } => {
            let event = |e: &EventType| {
                let when = e.when.as_ref().map(|w| &w.value);
                json!([e.name.value, when, of(&e.fields)])
            };
            mapping["events"] = events.iter().map(event).collect();
        }
        Kind::Outbox { outbox, events } => {
            let event = |e: &EventType| {
                let payload = e.payload.as_ref();
                json!([
                    e.name.value,
                    e.written(),
                    payload.map(|p| format!("{:?}", p.form)),
                    payload.and_then(|p| Some(&p.schema.as_ref()?.text)),
                    of(&e.fields)
                ])
            };
            mapping["outbox"] = self::outbox(outbox);
            mapping["events"] = events.iter().map(event).collect();
        }
    }
    mapping
}

fn outbox(outbox: &Outbox) -> Value {
    let columns = &outbox.columns;
    let name = |column: &Option<Spanned<String>>| column.as_ref().map(|c| c.value.clone());
    let headers = columns.headers.iter();
    json!({
        "columns": [
            columns.id.value, columns.r#type.value, columns.key.value, columns.payload.value,
            name(&columns.timestamp), name(&columns.partition),
            headers.map(|(h, c)| [&h.value, &c.value]).collect::<Vec<_>>(),
        ],
        "unknown_type": format!("{:?}", outbox.unknown_type),
        "on_update": format!("{:?}", outbox.on_update),
    })
}

fn field_mapping(field: &Field) -> Value {
    let protect = field.protect.as_deref().map(|p| match p {
        Protect::Drop => json!("drop"),
        Protect::Mask { keep } => json!({ "mask": keep }),
        Protect::Hmac(key) => json!({ "hmac": key }),
        Protect::Encrypt(key) => json!({ "encrypt": key }),
        Protect::None(_) => json!("none"),
    });
    let how = match &field.shape {
        Shape::Scalar {
            r#type,
            source,
            lookup,
        } => {
            let mut how = vec![scalar(r#type.value), self::source(source)];
            how.extend(lookup.as_ref().map(self::lookup));
            json!(how)
        }
        Shape::Array { items, source } => {
            json!(["array", field_mapping(items), self::source(source)])
        }
        Shape::Enum {
            values,
            default,
            otherwise,
            source,
        } => {
            let text = |s: &Spanned<String>| s.value.clone();
            let values: Vec<_> = values.iter().map(|(c, s)| [text(c), text(s)]).collect();
            let otherwise = match otherwise {
                Otherwise::Fail => json!("fail"),
                Otherwise::Null => json!("null"),
                Otherwise::Value(symbol) => json!({ "value": symbol.value }),
            };
            json!([
                "enum",
                values,
                default.as_ref().map(text),
                otherwise,
                self::source(source)
            ])
        }
        Shape::Map { values, source } => {
            json!(["map", field_mapping(values), self::source(source)])
        }
        Shape::Record { fields, source } => {
            let fields: Vec<Value> = fields.iter().map(field_mapping).collect();
            let mut how = vec![json!("record"), json!(fields)];
            how.extend(source.as_ref().map(self::source));
            json!(how)
        }
    };
    json!([field.name.value, field.optional, protect, how])
}

fn source(source: &Source) -> Value {
    match source {
        Source::Expression(text) => json!({ "expr": text.value }),
        Source::Column { column, at, parse } => {
            let mut from = json!({ "from": column.value, "parse": self::parse(parse.as_ref()) });
            // Left out where it is not said: a mapping that says none keeps its hash.
            if let Some(at) = at {
                from["at"] = at.value.to_string().into();
            }
            from
        }
        Source::Constant(constant) => json!({ "value": constant.value.text }),
        Source::Item { at, parse } => {
            let mut item = json!({ "parse": self::parse(parse.as_ref()) });
            if let Some(at) = at {
                item["at"] = at.value.to_string().into();
            }
            item
        }
    }
}

fn parse(parse: Option<&Parse>) -> Value {
    let parts = |p: &Parse| {
        json!([
            p.format.value,
            p.zone.as_ref().map(|(name, _)| &name.value),
            format!("{:?}", p.ambiguous),
        ])
    };
    parse.map_or(Value::Null, parts)
}

fn lookup(lookup: &Lookup) -> Value {
    let otherwise = match &lookup.otherwise {
        Fallback::Fail => json!("fail"),
        Fallback::Null => json!("null"),
        Fallback::Value(value) => json!({ "value": value.value.text }),
    };
    json!({ "lookup": lookup::hash(lookup), "otherwise": otherwise })
}
