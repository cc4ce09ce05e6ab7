//! Pages that are written from the definition: the reference, the editors' JSON Schema, the
//! page of every finding's code. Text goes out; nothing is read.

mod codes;
mod markdown;
mod schema;

pub use codes::findings;
pub use markdown::reference;
pub use schema::schema;

/// Every generated page: its name under docs/, and its text.
pub fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("reference.md", reference()),
        ("findings.md", findings()),
        ("onramp.schema.json", schema()),
    ]
}
