//! The contract by the Open Data Contract Standard 3.1.0 (github.com/bitol-io).
//!
//! What the standard has no word for stands under `customProperties`.

use onramp_language::{
    Field, Gateway, KeyFormat, Product, Protect, Record, Retention, Scalar, Shape, Spanned,
};
use serde_json::{Map, Value, json};

use super::{gives_text, is_left_out, level_word, own_type_words, type_words};

pub(super) fn contract(gateway: &Gateway, product: &Product) -> Value {
    let name = &product.name.value;
    let full = name.to_string();
    let mut contract = json!({
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": full,
        "name": format!("{}.{}", name.domain, name.name),
        "version": name.version.to_string(),
        "status": product.status.word(),
        "domain": name.domain,
        "dataProduct": name.name,
    });
    let mut put = |key: &str, value: Value| contract[key] = value;
    if !product.description.is_empty() {
        put("description", json!({ "purpose": product.description }));
    }
    put("servers", servers(gateway));
    put("schema", schemas(product));
    if !product.team.is_empty() {
        put("team", json!({ "name": product.team }));
    }
    if !product.contact.is_empty() {
        put("support", json!([support(&product.contact)]));
    }
    let sla = sla(product);
    if !sla.is_empty() {
        put("slaProperties", json!(sla));
    }
    put("customProperties", custom(product));
    contract
}

fn servers(gateway: &Gateway) -> Value {
    json!([{
        "server": "kafka",
        "type": "kafka",
        "host": gateway.kafka.brokers.join(","),
        "format": "avro",
    }])
}

/// An address is a channel as it is; a channel's name too.
fn support(contact: &str) -> Value {
    if contact.contains("://") {
        return json!({ "channel": contact, "url": contact, "tool": "other" });
    }
    match contact.contains('@') {
        true => json!({ "channel": contact, "url": format!("mailto:{contact}"), "tool": "email" }),
        false => json!({ "channel": contact }),
    }
}

fn sla(product: &Product) -> Vec<Value> {
    let mut all = Vec::new();
    let seconds = |property: &str, value: f64, what: &str| json!({ "property": property, "value": value, "unit": "s", "description": what });
    if let Some(freshness) = product.sla.freshness {
        let what = "from the change's commit at the source to its event";
        all.push(seconds("latency", freshness.as_secs_f64(), what));
    }
    match product.sla.retention {
        Some(Retention::For(time)) => {
            all.push(seconds(
                "retention",
                time.as_secs_f64(),
                "how long events stay",
            ));
        }
        Some(Retention::Forever) => {
            all.push(json!({ "property": "retention", "value": "forever" }));
        }
        None => {}
    }
    all
}

fn custom(product: &Product) -> Value {
    let topic = product.name.value.to_string();
    let subjects: Vec<String> = onramp_translator::contract(product)
        .values
        .iter()
        .map(|value| crate::run::contracts::subject(&topic, value))
        .collect();
    let mut all = vec![
        property("valueSubjects", json!(subjects)),
        property("compatibility", json!(level_word(product))),
    ];
    if product.is_entity() {
        all.push(property("topicCleanupPolicy", json!("compact")));
        all.push(property(
            "deletes",
            json!("a key with a null value (tombstone)"),
        ));
    }
    let key = match product.key_format {
        KeyFormat::String => "string",
        KeyFormat::Avro => {
            let subject = onramp_registry::key_subject(&topic);
            all.push(property("keySubject", json!(subject)));
            "avro"
        }
    };
    all.push(property("keyFormat", json!(key)));
    if let Some(tier) = product.sla.tier {
        all.push(property("tier", json!(tier)));
    }
    json!(all)
}

fn property(name: &str, value: Value) -> Value {
    json!({ "property": name, "value": value })
}

/// One object a record: an entity's, or each type of facts.
fn schemas(product: &Product) -> Value {
    let records = product.records().into_iter();
    records.map(|record| schema(product, record)).collect()
}

fn schema(product: &Product, record: Record<'_>) -> Value {
    let topic = product.name.value.to_string();
    let fields = record.fields.iter().filter(|f| !is_left_out(f));
    let fields: Vec<Value> = fields.map(|f| field(f, &product.key)).collect();
    let (name, doc) = match record.event {
        None => (&product.name.value.name, Some(&product.description)),
        Some(event) => (&event.name.value, event.doc.as_ref()),
    };
    let mut schema = json!({
        "name": name,
        "physicalName": topic,
        "physicalType": "topic",
        "logicalType": "object",
    });
    if let Some(doc) = doc.filter(|doc| !doc.is_empty()) {
        schema["description"] = json!(doc);
    }
    schema["properties"] = json!(fields);
    schema
}

fn field(field: &Field, key: &[Spanned<String>]) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(field.name.value));
    let (logical, options) = logical(field);
    out.insert("logicalType".into(), json!(logical));
    if let Some(options) = options {
        out.insert("logicalTypeOptions".into(), options);
    }
    out.insert("physicalType".into(), json!(type_words(field)));
    out.insert("required".into(), json!(!field.optional));
    if let Some(at) = key.iter().position(|k| k.value == field.name.value) {
        out.insert("primaryKey".into(), json!(true));
        out.insert("primaryKeyPosition".into(), json!(at + 1));
    }
    if let Some(doc) = &field.doc {
        out.insert("description".into(), json!(doc));
    }
    if let Some(classification) = &field.classification {
        out.insert("classification".into(), json!(classification));
    }
    let custom = of_field(field);
    if !custom.is_empty() {
        out.insert("customProperties".into(), json!(custom));
    }
    if let Shape::Array { items, .. } = &field.shape {
        // Whose texts stand in place of its elements' values.
        let items = match gives_text(field) {
            true => &Field {
                protect: field.protect.clone(),
                ..(**items).clone()
            },
            false => &**items,
        };
        out.insert("items".into(), self::field(items, &[]));
    }
    if let Shape::Record { fields, .. } = &field.shape {
        let inner = fields.iter().filter(|f| !is_left_out(f));
        let inner: Vec<Value> = inner.map(|f| self::field(f, &[])).collect();
        out.insert("properties".into(), json!(inner));
    }
    Value::Object(out)
}

fn of_field(field: &Field) -> Vec<Value> {
    let mut all = Vec::new();
    let protection = match field.protect.as_deref() {
        Some(Protect::Mask { keep }) => Some(format!("mask: **** and the last {keep} characters")),
        Some(Protect::Hmac(_)) => {
            Some("pseudonym: HMAC-SHA-256, equal for equal values".to_owned())
        }
        Some(Protect::Encrypt(key)) => {
            all.push(property("protectionKey", json!(key)));
            Some("encryption: AES-SIV (RFC 5297), equal for equal values".to_owned())
        }
        Some(Protect::Drop | Protect::None(_)) | None => None,
    };
    if let Some(how) = protection {
        all.push(property("protection", json!(how)));
        if !matches!(field.protect.as_deref(), Some(Protect::Hmac(_))) {
            all.push(property("protects", json!(own_type_words(field))));
        }
        return all;
    }
    match &field.shape {
        Shape::Enum {
            values,
            default,
            otherwise,
            ..
        } => {
            let symbols = onramp_translator::symbols(values, default.as_ref(), otherwise);
            all.push(property("symbols", json!(symbols)));
        }
        Shape::Scalar { r#type, .. } => match r#type.value {
            Scalar::Decimal { precision, scale } => {
                all.push(property("precision", json!(precision)));
                all.push(property("scale", json!(scale)));
            }
            Scalar::Json => all.push(property("contentType", json!("application/json"))),
            _ => {}
        },
        Shape::Map { values, .. } => {
            all.push(property("values", json!(type_words(values))));
        }
        Shape::Record { .. } | Shape::Array { .. } => {}
    }
    all
}

/// The standard's own type, with its options.
fn logical(field: &Field) -> (&'static str, Option<Value>) {
    let r#type = match &field.shape {
        Shape::Array { .. } => return ("array", None),
        _ if gives_text(field) => return ("string", None),
        Shape::Enum { .. } => return ("string", None),
        Shape::Record { .. } | Shape::Map { .. } => return ("object", None),
        Shape::Scalar { r#type, .. } => r#type.value,
    };
    match r#type {
        Scalar::Boolean => ("boolean", None),
        Scalar::Int => ("integer", Some(json!({ "format": "i32" }))),
        Scalar::Long => ("integer", Some(json!({ "format": "i64" }))),
        Scalar::Float => ("number", Some(json!({ "format": "f32" }))),
        Scalar::Double => ("number", Some(json!({ "format": "f64" }))),
        Scalar::Decimal { .. } => ("number", None),
        Scalar::String | Scalar::Json => ("string", None),
        Scalar::Bytes => ("string", Some(json!({ "format": "binary" }))),
        Scalar::Uuid => ("string", Some(json!({ "format": "uuid" }))),
        Scalar::Date => ("date", None),
        Scalar::Timestamp => ("timestamp", Some(json!({ "timezone": true }))),
        Scalar::LocalTimestamp => ("timestamp", Some(json!({ "timezone": false }))),
        Scalar::Time => ("time", None),
    }
}
