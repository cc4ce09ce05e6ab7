//! `onramp docs`: a product's contract, for those who read its topic.
//!
//! What comes in is a product's file alone, so that the same file gives the same bytes. What never
//! goes out is where a value comes from: the legacy schema stays behind the contract.

mod markdown;
mod odcs;
mod yaml;

use clap::ValueEnum;
use onramp_language::{Field, Gateway, Product, Protect, Shape};
use serde_json::Value;

/// A form that a contract is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Markdown,
    /// The Open Data Contract Standard 3.1, YAML.
    Odcs,
    /// The value's Avro schema, as it is registered.
    Avro,
    /// The key's Avro schema, where `key_format: avro`.
    AvroKey,
}

impl Form {
    pub(crate) const ALL: [Form; 4] = [Form::Markdown, Form::Odcs, Form::Avro, Form::AvroKey];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Form::Markdown => "markdown",
            Form::Odcs => "odcs",
            Form::Avro => "avro",
            Form::AvroKey => "avro-key",
        }
    }

    /// What a file of it is called behind the product's name.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Form::Markdown => ".md",
            Form::Odcs => ".odcs.yaml",
            Form::Avro => ".avsc",
            Form::AvroKey => "-key.avsc",
        }
    }
}

/// A contract in one form; None where the product has no such thing.
pub(crate) fn document(gateway: &Gateway, product: &Product, form: Form) -> Option<String> {
    let contract = onramp_translator::contract(product);
    Some(match form {
        Form::Markdown => markdown::text(gateway, product),
        Form::Odcs => yaml::text(&odcs::contract(gateway, product)),
        Form::Avro => avro(&contract.values),
        Form::AvroKey => pretty(&contract.key_schema?),
    })
}

/// An entity's schema; of facts a union of theirs, which is what a file of several schemas is.
fn avro(values: &[onramp_translator::ValueSchema]) -> String {
    let read = |text: &str| -> Value { serde_json::from_str(text).unwrap_or_default() };
    match values {
        [one] if one.event.is_none() => pretty(&one.schema),
        many => {
            let many: Value = many.iter().map(|value| read(&value.schema)).collect();
            format!("{many:#}\n")
        }
    }
}

fn pretty(schema: &str) -> String {
    let value: Value = serde_json::from_str(schema).unwrap_or_default();
    format!("{value:#}\n")
}

/// The level as the product's file has it.
fn level_word(product: &Product) -> String {
    crate::run::level(product.compatibility)
        .word()
        .to_lowercase()
}

/// Whether consumers never see the field.
fn is_left_out(field: &Field) -> bool {
    matches!(field.protect.as_deref(), Some(Protect::Drop))
}

/// Whether consumers see a text in its value's place.
fn gives_text(field: &Field) -> bool {
    field.protect.as_deref().is_some_and(Protect::gives_text)
}

/// A field's type in the product file's words.
fn type_words(field: &Field) -> String {
    words(field, gives_text(field))
}

/// The type of its values, whatever protects them.
fn own_type_words(field: &Field) -> String {
    words(field, false)
}

/// The type; with a text in place of each single value.
fn words(field: &Field, texts: bool) -> String {
    let null = |of: &Field| if of.optional { " or null" } else { "" };
    match &field.shape {
        Shape::Array { items, .. } => {
            format!("array of {}{}", words(items, texts), null(items))
        }
        Shape::Map { values, .. } => {
            format!("map to {}{}", words(values, texts), null(values))
        }
        _ if texts => "string".to_owned(),
        Shape::Scalar { r#type, .. } => r#type.value.word(),
        Shape::Enum { .. } => "enum".to_owned(),
        Shape::Record { .. } => "record".to_owned(),
    }
}
