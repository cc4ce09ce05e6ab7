//! What the topics hold, against what was committed.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::committed::Committed;
use crate::{Event, Scenario, consume, records};

/// What the topics hold.
pub(super) struct Told {
    entity: Vec<Event>,
    facts: Vec<Event>,
    outbox: Vec<Event>,
    quarantine: Vec<Value>,
}

impl Told {
    pub(super) async fn now(scenario: &Scenario) -> Told {
        let topic = |name: &str| scenario.topic(name);
        let kept = records(&scenario.servers, &topic("accounts.v1.quarantine")).await;
        let parsed = kept.into_iter().map(|(_, record)| record);
        Told {
            entity: consume(&scenario.servers, &topic("accounts.v1")).await,
            facts: consume(&scenario.servers, &topic("account-facts.v1")).await,
            outbox: consume(&scenario.servers, &topic("account-events.v1")).await,
            quarantine: parsed
                .map(|record| serde_json::from_str(&record).expect("JSON"))
                .collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entity.len() + self.facts.len() + self.outbox.len() + self.quarantine.len()
    }
}

/// What one key has: what is told, and the version that tells the transaction.
type OfKey<T> = BTreeMap<String, Vec<(T, i64)>>;

/// What the topics shall hold.
pub(super) struct Expected {
    entity: OfKey<Option<i64>>,
    facts: OfKey<(&'static str, Option<i64>, Option<i64>)>,
    outbox: OfKey<i64>,
    /// In its one partition's order.
    pub(super) quarantine: Vec<(i64, i64)>,
    /// The place among the transactions, by version.
    place: HashMap<i64, usize>,
    pub(super) len: usize,
}

pub(super) fn expected(committed: &Committed) -> Expected {
    let (mut entity, mut facts, mut outbox) = (OfKey::new(), OfKey::new(), OfKey::new());
    let mut quarantine = Vec::new();
    for change in committed.changes() {
        let (key, version) = (change.key.to_string(), change.version);
        let now = (!change.deletes).then_some(version);
        match change.refused {
            true => quarantine.push((version, version)),
            false => entity
                .entry(key.clone())
                .or_insert_with(Vec::new)
                .push((now, version)),
        }
        let fact = match (change.was, change.deletes) {
            (_, true) => "Closed",
            (None, _) => "Opened",
            (Some(_), _) => "Changed",
        };
        facts
            .entry(key.clone())
            .or_insert_with(Vec::new)
            .push(((fact, now, change.was), version));
        outbox
            .entry(key)
            .or_insert_with(Vec::new)
            .push((version, version));
    }
    let places = committed.transactions.iter().enumerate();
    Expected {
        // Each change is a fact, an event of the outbox, and an event or a record of the entity.
        len: 3 * committed.changes().count(),
        place: places
            .flat_map(|(place, all)| all.iter().map(move |c| (c.version, place)))
            .collect(),
        entity,
        facts,
        outbox,
        quarantine,
    }
}

fn number(event: &Event, field: &str) -> Option<i64> {
    event.value.as_ref()?[field].as_i64()
}

/// Holds what is told against what shall be.
pub(super) fn holds(seed: u64, wanted: &Expected, told: &Told) {
    // The database's own numbers of transactions, by version: each is told once.
    let mut numbers: HashMap<i64, &str> = HashMap::new();
    for event in &told.outbox {
        let value = event.value.as_ref().expect("a payload");
        let of = value["number"].as_str().expect("text");
        let version = number(event, "version").expect("a version");
        assert_eq!(
            numbers.insert(version, of),
            None,
            "seed {seed}: {version} twice"
        );
    }
    let last = |event: &Event| {
        event.headers["ce_type"]
            .rsplit('.')
            .next()
            .map(str::to_owned)
    };
    let entity = |event: &Event| number(event, "version");
    same(
        seed,
        "entity",
        &wanted.entity,
        &told.entity,
        &numbers,
        entity,
    );
    let fact = |event: &Event| {
        let kinds = ["Opened", "Changed", "Closed"];
        let kind = last(event).and_then(|kind| kinds.into_iter().find(|k| **k == kind));
        let kind = kind.expect("one of the product's");
        (kind, number(event, "version"), number(event, "was"))
    };
    same(seed, "facts", &wanted.facts, &told.facts, &numbers, fact);
    let version = |event: &Event| number(event, "version").expect("a version");
    same(
        seed,
        "outbox",
        &wanted.outbox,
        &told.outbox,
        &numbers,
        version,
    );

    let whole = |value: &Value| match value {
        Value::String(text) => text.parse().expect("a number"),
        other => other.as_i64().expect("a number"),
    };
    let kept: Vec<(i64, &str)> = (told.quarantine.iter())
        .map(|r| {
            (
                whole(&r["after"]["ver"]),
                r["transaction"].as_str().expect("a number"),
            )
        })
        .collect();
    let shall = wanted.quarantine.iter().map(|(v, of)| (*v, numbers[of]));
    assert_eq!(
        kept,
        shall.collect::<Vec<_>>(),
        "seed {seed}: the quarantine"
    );

    // By the transactions' order: each partition tells them in it, and all products end at the last.
    let of_number: HashMap<&str, usize> = (numbers.iter())
        .map(|(v, n)| (*n, wanted.place[v]))
        .collect();
    let end = wanted.place.values().max().copied();
    for (name, events) in [
        ("entity", &told.entity),
        ("facts", &told.facts),
        ("outbox", &told.outbox),
    ] {
        let mut reached: BTreeMap<i32, usize> = BTreeMap::new();
        for event in events {
            let place = of_number[event.headers["onramp_tx"].as_str()];
            let before = reached.insert(event.partition, place);
            assert!(before <= Some(place), "seed {seed}: {name} steps back");
        }
        assert_eq!(reached.values().max().copied(), end, "seed {seed}: {name}");
        numbered(seed, name, events);
    }
}

/// Each key tells what it shall, in order, each of its transaction.
fn same<T: PartialEq + std::fmt::Debug>(
    seed: u64,
    name: &str,
    wanted: &OfKey<T>,
    events: &[Event],
    numbers: &HashMap<i64, &str>,
    read: impl Fn(&Event) -> T,
) {
    let mut told: BTreeMap<&str, Vec<(T, &str)>> = BTreeMap::new();
    for event in events {
        let of = event.headers["onramp_tx"].as_str();
        told.entry(&event.key).or_default().push((read(event), of));
    }
    let keys: Vec<&str> = wanted.keys().map(String::as_str).collect();
    assert_eq!(
        told.keys().copied().collect::<Vec<_>>(),
        keys,
        "seed {seed}: {name}"
    );
    for (key, shall) in wanted {
        let is = &told[key.as_str()];
        let equal = |(is, shall): (&(T, &str), &(T, i64))| {
            is.0 == shall.0 && numbers.get(&shall.1) == Some(&is.1)
        };
        let at = is.iter().zip(shall).position(|pair| !equal(pair));
        let at = at.unwrap_or(is.len().min(shall.len()));
        assert!(
            at == is.len() && at == shall.len(),
            "seed {seed}: {name} {key} differs from event {at} on: {} told, {} committed; told {:?}, committed {:?}",
            is.len(),
            shall.len(),
            is.get(at),
            shall.get(at),
        );
    }
}

/// The events of a transaction are numbered without a gap: whoever puts it together misses none.
fn numbered(seed: u64, name: &str, events: &[Event]) {
    let mut ordinals: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for event in events {
        let ordinal = event.headers["onramp_ordinal"].parse().expect("a number");
        let of = event.headers["onramp_tx"].as_str();
        ordinals.entry(of).or_default().push(ordinal);
    }
    for (of, mut all) in ordinals {
        all.sort_unstable();
        let whole = all.iter().zip(0..).all(|(is, shall)| *is == shall);
        assert!(whole, "seed {seed}: {name}, transaction {of}: {all:?}");
    }
}
