//! What sort of table it is: one whose rows are flagged as deleted, an outbox.

use onramp_connector::ValueType;

use super::column::{Judged, Meaning};
use super::names;
use super::table::{Deleted, Outbox, referable};

/// How rows are flagged as deleted, where a column says so and its values bear it out.
pub(super) fn deleted(columns: &[Judged]) -> Option<Deleted> {
    columns.iter().find_map(|judged| {
        let words = names::expanded(&judged.column.name);
        let says_so = words
            .iter()
            .any(|w| w == "deleted" || w == "removed" || w == "geloescht");
        // `deleted_by` and the like tell who, not whether.
        let tells_who = words
            .iter()
            .any(|w| ["by", "user", "reason"].contains(&w.as_str()));
        if !says_so || tells_who || referable(&judged.column.name).is_none() {
            return None;
        }
        let found = |there: String, evidence: String| {
            Some(Deleted {
                column: judged.column.name.clone(),
                there,
                evidence,
            })
        };
        match (&judged.meaning, &judged.column.value_type) {
            (Meaning::Flag(flag), ValueType::Int(_)) => found(
                format!("!= {}", flag.yes),
                format!(
                    "{} of {} sampled rows",
                    flag.seen.0,
                    flag.seen.0 + flag.seen.1
                ),
            ),
            (Meaning::Flag(flag), _) => found(
                format!("!= \"{}\"", flag.yes),
                format!(
                    "{} of {} sampled rows",
                    flag.seen.0,
                    flag.seen.0 + flag.seen.1
                ),
            ),
            (Meaning::Plain(name), ValueType::Bool) if name == "boolean" => {
                found("!= true".into(), "a truth value".into())
            }
            (
                Meaning::Plain(_),
                ValueType::Date | ValueType::LocalTimestamp | ValueType::Timestamp,
            ) if judged.column.nullable && judged.nulls.0 > 0 => found(
                "== null".into(),
                format!(
                    "{} of {} sampled rows have a time there",
                    judged.nulls.1 - judged.nulls.0,
                    judged.nulls.1
                ),
            ),
            _ => None,
        }
    })
}

/// Whether the table looks like an outbox: an id, a type, what it is about, and a payload.
pub(super) fn outbox(columns: &[Judged]) -> Option<Outbox> {
    let find = |any: &[&str], types: fn(&ValueType) -> bool| {
        columns
            .iter()
            .filter(|c| types(&c.column.value_type))
            .find(|c| {
                let name = names::words(&c.column.name).join("");
                let long = names::expanded(&c.column.name).join("");
                any.contains(&name.as_str()) || any.contains(&long.as_str())
            })
            .map(|c| c.column.name.clone())
    };
    let text = |t: &ValueType| matches!(t, ValueType::Text | ValueType::Enum(_));
    let any = |_: &ValueType| true;
    let content = |t: &ValueType| matches!(t, ValueType::Json | ValueType::Text | ValueType::Bytes);
    Some(Outbox {
        id: find(
            &[
                "id",
                "eventid",
                "messageid",
                "outboxid",
                "msgid",
                "eventnumber",
                "eventsequence",
            ],
            any,
        )?,
        kind: find(&["type", "eventtype", "messagetype", "eventname"], text)?,
        key: find(
            &[
                "aggregateid",
                "aggid",
                "entityid",
                "key",
                "eventkey",
                "messagekey",
                "partitionkey",
                "aggregatekey",
                "entitykey",
            ],
            any,
        )?,
        payload: find(
            &[
                "payload",
                "body",
                "eventdata",
                "data",
                "message",
                "content",
                "eventbody",
                "messagebody",
                "messagetext",
            ],
            content,
        )?,
    })
}
