//! What was seen, for people.

use super::diff::Difference;
use super::fields::FieldInfo;
use super::judge::Looked;
use super::profile::FieldProfile;
use super::schemas::Schema;
use super::tally::{Group, Sample, Tally};
use super::{ProductSeen, RowsSeen, Seen};
use crate::terminal::{Page, grouped};

/// Where values begin.
const INDENT: usize = 12;
/// So much of a value is shown; machines get all of it.
const SHOWN_CHARS: usize = 300;

pub(super) fn text(seen: &Seen, width: usize) -> String {
    let mut page = Page::new(width);
    page.line(
        "",
        0,
        &format!("{}: dry run; nothing is written", seen.gateway),
    );
    page.empty_line();
    for (label, reached) in [
        ("source", seen.source),
        ("broker", seen.broker),
        ("registry", seen.registry),
    ] {
        let word = if reached { "reached" } else { "out of reach" };
        page.line(label, INDENT, word);
    }
    if let Some(followed) = &seen.followed {
        let text = match &followed.by {
            Some(by) => format!("for {:.0} s by {by}", followed.seconds),
            None => "not: see the finding".to_owned(),
        };
        page.line("followed", INDENT, &text);
        if !followed.waited_for.is_empty() {
            let (seconds, open) = (followed.waited_seconds, followed.waited_for.join("; "));
            page.line(
                "",
                INDENT,
                &format!("after {seconds:.0} s of waiting for {open}"),
            );
        }
    }
    for product in &seen.products {
        page.empty_line();
        self::product(&mut page, product);
    }
    if !seen.unproven.is_empty() {
        page.empty_line();
        page.line("", 0, "unproven");
        for unproven in &seen.unproven {
            page.line("  -", 4, unproven);
        }
    }
    if let Some(planned) = &seen.planned {
        page.empty_line();
        page.whole(&planned.text);
    }
    page.empty_line();
    page.line("", 0, &closing(seen));
    page.text()
}

/// The last line says it all.
fn closing(seen: &Seen) -> String {
    let tallies = |p: &ProductSeen| {
        let rows = p
            .rows
            .as_ref()
            .map(|rows| (rows.tally.read, rows.tally.failing));
        let changes = p.changes.as_ref().map(|tally| (tally.read, tally.failing));
        rows.into_iter().chain(changes).collect::<Vec<_>>()
    };
    let all = seen.products.iter().flat_map(tallies);
    let (read, failing) = all.fold((0, 0), |(r, f), (read, failing)| (r + read, f + failing));
    let unlooked = seen.products.iter().filter(|p| p.rows.is_none()).count();
    let not_looked = match unlooked {
        0 => String::new(),
        n => format!("; {} could not be looked at", counted(n as u64, "product")),
    };
    format!(
        "dry run: {} of {} rows and changes would fail{not_looked}",
        grouped(failing),
        grouped(read)
    )
}

fn product(page: &mut Page, product: &ProductSeen) {
    let status = match product.status {
        "active" => String::new(),
        status => format!(" ({status})"),
    };
    page.line(
        "",
        0,
        &format!("{}{status}, from {}", product.name, product.table),
    );
    match &product.rows {
        Some(rows) => self::rows(page, rows),
        None => page.line("  rows", INDENT, "not looked at"),
    }
    if let (Some(looked), Some(rows)) = (&product.looked, &product.rows) {
        fails(page, looked, &rows.tally);
    }
    if let Some(tally) = &product.changes {
        let text = format!(
            "{}: {}, {}, {} would fail",
            counted(tally.read, "change"),
            counted(tally.events, "event"),
            counted(tally.tombstones, "tombstone"),
            grouped(tally.failing)
        );
        page.line("  changes", INDENT, &text);
        if let Some(looked) = &product.looked {
            fails(page, looked, tally);
        }
    }
    if let Some(looked) = &product.looked {
        let rows = product.rows.as_ref().map(|rows| &rows.tally);
        for tally in rows.into_iter().chain(&product.changes) {
            for one in &tally.samples {
                sample(page, one);
            }
        }
        let profiles = rows.map(|tally| looked.fields.iter().zip(&tally.fields));
        for (n, (field, profile)) in profiles.into_iter().flatten().enumerate() {
            let label = if n == 0 { "  fields" } else { "" };
            page.line(label, INDENT, &self::field(looked, field, profile));
        }
    }
    for schema in &product.schemas {
        self::schema(page, schema);
    }
}

fn rows(page: &mut Page, rows: &RowsSeen) {
    let tally = &rows.tally;
    let read = grouped(tally.read);
    let about = rows
        .about
        .map_or_else(String::new, |n| format!(" of about {}", grouped(n)));
    let text = match rows.all {
        true => format!("{read} read, every one, in {:.1} s", rows.seconds),
        false => format!("{read}{about} read, the first and the last by key"),
    };
    page.line("  rows", INDENT, &text);
    let text = format!(
        "{}, {} left out, {} would fail",
        counted(tally.events, "event"),
        grouped(tally.left_out()),
        grouped(tally.failing)
    );
    page.line("", INDENT, &text);
    if tally.read_back > 0 {
        let text = format!(
            "{} of {} read back by the schema that would be registered: {} as written",
            grouped(tally.read_back),
            counted(tally.events, "event"),
            grouped(tally.read_back - tally.read_otherwise)
        );
        page.line("", INDENT, &text);
    }
}

/// `1 event`, `2 events`.
fn counted(number: u64, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {word}{plural}", grouped(number))
}

fn fails(page: &mut Page, looked: &Looked, tally: &Tally) {
    for group in tally.sorted() {
        page.line("", INDENT, &failing(looked, group));
        let keys = match (looked.shows_keys(), &group.keys[..]) {
            (true, []) => continue,
            (true, keys) => format!("keys {}", keys.join(", ")),
            (false, _) => "keys are classified: --show-rows shows them".to_owned(),
        };
        page.line("", INDENT + 2, &keys);
    }
}

fn failing(looked: &Looked, group: &Group) -> String {
    let place = match looked.place_of(&group.field) {
        onramp_finding::Place::File { file, span } => {
            let (line, column) = file.line_column(span.start);
            format!(", {}:{line}:{column}", file.name)
        }
        _ => String::new(),
    };
    let field = match (group.field.as_str(), &group.column) {
        ("", None) => String::new(),
        ("", Some(column)) => format!("column {column}: "),
        (field, None) => format!("{field}: "),
        (field, Some(column)) => format!("{field} from {column}: "),
    };
    let (count, code) = (grouped(group.count), group.code.id);
    format!("- {count} fail: {field}{} ({code}{place})", group.reason)
}

fn sample(page: &mut Page, sample: &Sample) {
    let kept_back = || "(classified, kept back)".to_owned();
    let key = sample.key.as_deref().map_or_else(kept_back, short);
    page.line("  sample", INDENT, &format!("{}, key {key}", sample.of));
    for (name, text) in sample.row.iter().flatten() {
        let text = text.as_deref().map_or("(null)".to_owned(), short);
        page.line("", INDENT + 2, &format!("{name} = {text}"));
    }
    match &sample.event {
        None => page.line("", INDENT, "-> tombstone"),
        Some(event) => {
            page.line("", INDENT, "-> event");
            values(page, "", event);
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A field a line.
fn values(page: &mut Page, parent: &str, event: &serde_json::Value) {
    for (name, value) in event.as_object().into_iter().flatten() {
        let path = match parent {
            "" => name.clone(),
            parent => format!("{parent}.{name}"),
        };
        match value {
            serde_json::Value::Object(_) => values(page, &path, value),
            serde_json::Value::String(text) => {
                page.line("", INDENT + 2, &format!("{path}: {}", short(text)));
            }
            other => page.line("", INDENT + 2, &format!("{path}: {other}")),
        }
    }
}

fn field(looked: &Looked, field: &FieldInfo, profile: &FieldProfile) -> String {
    let mut text = format!("{}, {}", field.path, field.type_word);
    if let Some(word) = &field.classification {
        text.push_str(&format!(", {word}"));
    }
    let (values, nulls) = (counted(profile.values, "value"), grouped(profile.nulls));
    text.push_str(&format!(": {values}, {nulls} null"));
    let open = looked.shows(field);
    if let (true, Some(least), Some(most)) = (open, &profile.least, &profile.most) {
        text.push_str(&format!(", {} to {}", least.text(), most.text()));
    }
    if let Some(longest) = profile.longest {
        text.push_str(&format!(", longest {}", grouped(longest as u64)));
    }
    if profile.ambiguous > 0 {
        let count = counted(profile.ambiguous, "ambiguous local time");
        text.push_str(&format!(", {count}"));
    }
    if profile.unlisted > 0 {
        text.push_str(&format!(", {} not listed", grouped(profile.unlisted)));
        if open {
            let codes = profile.codes.iter();
            let codes: Vec<String> = codes
                .map(|(code, count)| format!("{code:?} {}", grouped(*count)))
                .collect();
            text.push_str(&format!(": {}", codes.join(", ")));
        }
    }
    for (code, reason, count) in &profile.faults {
        text.push_str(&format!(
            "; {} fail with {}: {reason}",
            grouped(*count),
            code.id
        ));
    }
    text
}

fn schema(page: &mut Page, schema: &Schema) {
    let Schema {
        subject,
        verdict,
        level,
        latest,
        id,
        ..
    } = schema;
    let text = match (*verdict, latest, id) {
        ("unchanged", _, Some(id)) => format!("{subject}: unchanged, id {id}"),
        ("new version", Some(latest), _) => {
            format!("{subject}: a version that follows {latest}, fine at {level}")
        }
        ("new subject", ..) => format!("{subject}: a new subject, at {level}"),
        (_, Some(latest), _) => format!("{subject}: refused beside version {latest}, at {level}"),
        _ => format!("{subject}: refused, at {level}"),
    };
    page.line("  schema", INDENT, &text);
    for difference in &schema.differences {
        page.line("", INDENT + 2, &self::difference(difference));
    }
}

fn difference(difference: &Difference) -> String {
    let field = match difference.field.as_str() {
        "" => "(the record)",
        field => field,
    };
    match (&difference.before, &difference.after) {
        (None, Some(after)) => format!("+ {field}: {after}"),
        (Some(before), None) => format!("- {field}: {before}"),
        (before, after) => format!(
            "~ {field}: {} -> {}",
            before.as_deref().unwrap_or_default(),
            after.as_deref().unwrap_or_default()
        ),
    }
}
