//! Facts with `history: insert` against what was committed: each row that was there when the product began
//! is told once, as it was then or by a change that was told before, and none that went; each change since is
//! told once, in order. Some products quarantine a part of the rows: each is there once, or in quarantine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::hands::LAST;
use super::tale::{Step, Tale};
use super::{PATIENCE, patiently};
use crate::{Event, Gateway, Scenario, consume, records};

/// Rows whose version this divides fail in products of even numbers.
pub(super) const FAILS: i64 = 7;

const PRODUCT: &str = r#"
product: DOMAIN.NAME
status: active
owner: { team: accounts, contact: accounts@shop.test }
description: What happens to accounts.
kind: events
source: { table: public.acct }
key: [account_id]
history: insert
on_error: quarantine
events:
  Opened:
    when: op == "insert"
    fields:
      account_id: { type: int, from: acct_no }
      version:    { type: long, expr: VERSION }
  Changed:
    when: op == "update"
    fields:
      account_id: { type: int, from: acct_no }
      version:    { type: long, expr: VERSION }
  Closed:
    when: op == "delete"
    fields:
      account_id: { type: int, from: acct_no }
"#;

/// The file of a product of this name.
pub(super) fn product(name: &str, number: usize) -> String {
    let fails = format!("\"after.ver + 0 / (after.ver % {FAILS})\"");
    let version = match number.is_multiple_of(2) {
        true => fails.as_str(),
        false => "after.ver",
    };
    PRODUCT.replace("NAME", name).replace("VERSION", version)
}

/// What a topic, or the quarantine, tells of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Told {
    /// Of a row that was there.
    before: bool,
    r#type: Type,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Type {
    Opened,
    Changed,
    Closed,
}

/// What a product tells of a key, and what is in its quarantine.
#[derive(Debug, Default)]
struct OfKey {
    told: Vec<Told>,
    kept: Vec<Told>,
}

/// Waits until a product's run is done and its last fact is there; what is wrong with what it tells.
pub(super) async fn settled(
    scenario: &Scenario,
    gateway: &mut Gateway,
    product: &str,
    tale: &Tale,
) -> Option<String> {
    let topic = scenario.topic(product);
    let progress = format!("onramp.{}.progress", scenario.name);
    let history = format!("history/{topic}");
    let mut why = String::new();
    let whole = async || {
        if !gateway.runs() {
            why = "the gateway ended".into();
            return true;
        }
        let notes = records(&scenario.servers, &progress).await;
        let note = notes.iter().rfind(|(key, _)| *key == history);
        if !note.is_some_and(|(_, note)| note.contains("\"stage\":\"done\"")) {
            why = format!("history is not done: {note:?}");
            return false;
        }
        let page = |key: &str| key.starts_with(&format!("live/{topic}/"));
        let pages = notes.iter().filter(|(key, _)| page(key));
        let pages: BTreeMap<_, _> = pages.map(|(key, value)| (key, value)).collect();
        if pages.values().any(|value| !value.is_empty()) {
            why = "rows are remembered for nothing".into();
            return true;
        }
        let last = LAST.to_string();
        let there = consume(&scenario.servers, &topic)
            .await
            .iter()
            .any(|e| e.key == last);
        why = match there {
            true => String::new(),
            false => "the last fact is not there".into(),
        };
        there
    };
    let _ = tokio::time::timeout(PATIENCE, patiently(whole)).await;
    if !why.is_empty() {
        return Some(why);
    }
    let events = consume(&scenario.servers, &topic).await;
    let kept = records(&scenario.servers, &format!("{topic}.quarantine")).await;
    differs(&events, &kept, tale, product.ends_with(['2', '4']))
}

fn differs(
    events: &[Event],
    kept: &[(String, String)],
    tale: &Tale,
    fails: bool,
) -> Option<String> {
    let mut all: BTreeMap<i32, OfKey> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for event in events {
        let Ok(key) = event.key.parse() else {
            return Some(format!("a key that was never written: {}", event.key));
        };
        let before = event
            .headers
            .get("onramp_op")
            .is_some_and(|o| o == "snapshot");
        if !ids.insert(
            event
                .headers
                .get("ce_id")
                .or(event.headers.get("onramp_id"))
                .cloned(),
        ) && before
        {
            return Some(format!("two facts of one id: {:?}", event.headers));
        }
        let r#type = match event
            .headers
            .get("ce_type")
            .and_then(|t| t.rsplit('.').next())
        {
            Some("Opened") => Type::Opened,
            Some("Changed") => Type::Changed,
            Some("Closed") => Type::Closed,
            other => return Some(format!("a fact of type {other:?}")),
        };
        let version = event.value.as_ref().and_then(|v| v["version"].as_i64());
        note(&mut all, tale, (key, version), (before, r#type), |of| {
            &mut of.told
        });
    }
    for (key, record) in kept {
        let Ok(key) = key.parse() else {
            return Some(format!("a key that was never written: {key}"));
        };
        let record: Value = serde_json::from_str(record).unwrap_or_default();
        let (before, r#type) = match record["operation"].as_str() {
            Some("snapshot") => (true, Type::Opened),
            Some("insert") => (false, Type::Opened),
            Some("update") => (false, Type::Changed),
            other => return Some(format!("a record of {other:?} in quarantine")),
        };
        let version = &record["after"]["ver"];
        let version = version.as_i64().or_else(|| version.as_str()?.parse().ok());
        note(&mut all, tale, (key, version), (before, r#type), |of| {
            &mut of.kept
        });
    }
    let mut shall = tale.steps();
    for key in all.keys() {
        shall.entry(*key).or_default();
    }
    shall.into_iter().find_map(|(key, shall)| {
        let of = all.remove(&key).unwrap_or_default();
        let why = wrong(&of, &shall, fails)?;
        Some(format!("key {key}: {why}; {of:?}, committed {shall:?}"))
    })
}

/// Notes a fact with its key, and with the key that its row had before.
fn note(
    all: &mut BTreeMap<i32, OfKey>,
    tale: &Tale,
    (key, version): (i32, Option<i64>),
    (before, r#type): (bool, Type),
    of: impl Fn(&mut OfKey) -> &mut Vec<Told>,
) {
    let step = (version, None);
    of(all.entry(key).or_default()).push(Told {
        before,
        r#type,
        step,
    });
    let from = version.and_then(|version| tale.moved_from(version));
    if let Some(from) = from.filter(|_| !before && r#type == Type::Changed) {
        let (r#type, step) = (Type::Closed, (None, version));
        of(all.entry(from).or_default()).push(Told {
            before,
            r#type,
            step,
        });
    }
}

fn wrong(of: &OfKey, shall: &[Step], fails: bool) -> Option<String> {
    let live = |told: &[Told]| -> Vec<Step> {
        told.iter().filter(|t| !t.before).map(|t| t.step).collect()
    };
    let (told, kept) = (live(&of.told), live(&of.kept));
    let Some(first) = shall.len().checked_sub(told.len() + kept.len()) else {
        return Some("more than was committed".into());
    };
    let since = &shall[first..];
    let failing = |step: &Step| {
        let version = step.0.or(step.1);
        fails && version.is_some_and(|version| version % FAILS == 0)
    };
    let (bad, good): (Vec<Step>, Vec<Step>) = since.iter().partition(|step| failing(step));
    if (&good, &bad) != (&told, &kept) {
        return Some(format!("the log brought {good:?}, and {bad:?} that fail"));
    }
    let was = first.checked_sub(1).and_then(|last| shall[last].0);
    let mut there = was.is_some();
    for told in of.told.iter().filter(|t| !t.before) {
        // What was told in quarantine lies between, so that only a product without one is sure.
        let shall = match told.step {
            (None, _) => Type::Closed,
            (Some(_), _) if there => Type::Changed,
            (Some(_), _) => Type::Opened,
        };
        let moved = told.r#type == Type::Changed && told.step.0.is_some();
        if !fails && told.r#type != shall && !moved {
            return Some(format!("{:?} of {:?}", told.r#type, told.step));
        }
        there = told.step.0.is_some();
    }
    once(of, was, since)
}

/// A row that was there, at this version, is told once, and none that was not.
fn once(of: &OfKey, was: Option<i64>, since: &[Step]) -> Option<String> {
    let rows = of.told.iter().chain(&of.kept).filter(|t| t.before);
    let rows: Vec<&Told> = rows.collect();
    let Some(was) = was else {
        return (!rows.is_empty()).then(|| "a row that was not there is told".into());
    };
    let went = since.iter().position(|step| step.0.is_none());
    let [row] = &rows[..] else {
        let right = rows.is_empty() && went.is_some();
        return (!right).then(|| format!("a row that was there is told {} times", rows.len()));
    };
    let of_row = &since[..went.unwrap_or(since.len())];
    let seen = |steps: &[Step]| row.step.0 == Some(was) || steps.contains(&row.step);
    if row.r#type != Type::Opened || !seen(of_row) {
        return Some("a row that was there is told as it never was".into());
    }
    let at = of.told.iter().position(|t| t.before)?;
    let earlier: Vec<Step> = of.told[..at].iter().map(|t| t.step).collect();
    if !seen(&earlier) {
        return Some("a row that was there is told before the change that it shows".into());
    }
    if earlier.contains(&(None, None)) {
        return Some("a row that was there is told when it had gone".into());
    }
    let left = earlier.iter().position(|step| step.0.is_none());
    let came = left.is_some_and(|left| earlier[left..].iter().any(|step| step.0.is_some()));
    came.then(|| "a row that was there is told when another had come in its place".into())
}
