//! What was seen, for machines: docs/json.md tells of it.

use serde_json::{Map, Value, json};

use super::profile::FieldProfile;
use super::tally::{Sample, Tally};
use super::{ProductSeen, RowsSeen, Seen};

pub(super) fn json(seen: &Seen) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("gateway".into(), json!(seen.gateway));
    out.insert(
        "reached".into(),
        json!({ "source": seen.source, "broker": seen.broker, "registry": seen.registry }),
    );
    out.insert("unproven".into(), json!(seen.unproven));
    let followed = seen.followed.as_ref().map(|followed| {
        json!({
            "by": followed.by,
            "seconds": rounded(followed.seconds),
            "waited_for": followed.waited_for,
            "waited_seconds": rounded(followed.waited_seconds),
        })
    });
    out.insert("followed".into(), json!(followed));
    let products = seen.products.iter().map(product);
    out.insert("products".into(), Value::Array(products.collect()));
    let plan = seen.planned.as_ref().map(|planned| planned.json.clone());
    out.insert("plan".into(), json!(plan));
    out
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn product(product: &ProductSeen) -> Value {
    let shows_keys = product.looked.as_ref().is_some_and(|l| l.shows_keys());
    let rows = product.rows.as_ref();
    let changes = product.changes.as_ref();
    let tallies = rows.map(|rows| ("row", &rows.tally));
    let tallies = tallies
        .into_iter()
        .chain(changes.map(|tally| ("change", tally)));
    let (mut failures, mut samples) = (Vec::new(), Vec::new());
    for (of, tally) in tallies {
        failures.extend(self::failures(of, tally, shows_keys));
        samples.extend(tally.samples.iter().map(sample));
    }
    json!({
        "product": product.name,
        "status": product.status,
        "table": product.table,
        "rows": rows.map(self::rows),
        "changes": changes.map(|tally| json!({
            "read": tally.read,
            "events": tally.events,
            "tombstones": tally.tombstones,
            "failing": tally.failing,
            "read_back": tally.read_back,
        })),
        "failures": failures,
        "samples": samples,
        "fields": fields(product),
        "schemas": product.schemas,
    })
}

fn rows(rows: &RowsSeen) -> Value {
    let tally = &rows.tally;
    json!({
        "all": rows.all,
        "about": rows.about,
        "read": tally.read,
        "events": tally.events,
        "left_out": tally.left_out(),
        "failing": tally.failing,
        "read_back": tally.read_back,
        "seconds": rounded(rows.seconds),
    })
}

fn failures(of: &str, tally: &Tally, shows_keys: bool) -> Vec<Value> {
    let groups = tally.sorted();
    groups
        .into_iter()
        .map(|group| {
            json!({
                "of": of,
                "code": group.code.id,
                "field": (!group.field.is_empty()).then_some(&group.field),
                "column": group.column,
                "reason": group.reason,
                "count": group.count,
                "keys": shows_keys.then_some(&group.keys),
            })
        })
        .collect()
}

fn sample(sample: &Sample) -> Value {
    let row = sample.row.as_ref().map(|row| {
        let columns = row.iter().map(|(name, text)| (name.clone(), json!(text)));
        Value::Object(columns.collect())
    });
    json!({ "of": sample.of, "row": row, "key": sample.key, "event": sample.event })
}

fn fields(product: &ProductSeen) -> Vec<Value> {
    let (Some(looked), Some(rows)) = (&product.looked, &product.rows) else {
        return Vec::new();
    };
    let profiles = looked.fields.iter().zip(&rows.tally.fields);
    profiles
        .map(|(field, profile)| {
            let open = looked.shows(field);
            let FieldProfile {
                values,
                nulls,
                unlisted,
                codes,
                ambiguous,
                faults,
                least,
                most,
                longest,
            } = profile;
            let codes = codes
                .iter()
                .map(|(code, count)| json!({ "code": code, "count": count }));
            let faults = faults.iter().map(|(code, reason, count)| {
                json!({ "code": code.id, "reason": reason, "count": count })
            });
            json!({
                "field": field.path,
                "type": field.type_word,
                "classification": field.classification,
                "values": values,
                "nulls": nulls,
                "failing": faults.collect::<Vec<_>>(),
                "unlisted": unlisted,
                "codes": open.then(|| codes.collect::<Vec<_>>()),
                "ambiguous": ambiguous,
                "min": least.as_ref().filter(|_| open).map(|v| v.text()),
                "max": most.as_ref().filter(|_| open).map(|v| v.text()),
                "longest": longest,
            })
        })
        .collect()
}
