//! Facts and an outbox's events told late: changes in quarantine, translated again once the mapping is
//! mended, with the place and the transaction that they had.
//!
//! The gateway that streams does it, since nobody else may write. Each record that is replayed gets a
//! mark beside it in quarantine, in the Kafka transaction of its events: whoever reads the topic then
//! knows, and another replay passes it over. One replay goes at a time, from its reading to its commit,
//! and reads a topic on which every transaction is settled: so none is told twice, whatever is killed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use onramp_connector::TableDescription;
use onramp_event::{Arena, Origin, Record, RouteId, Span, Transaction, partition};
use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Place};
use onramp_publisher::progress::REPLAY_KEY;
use onramp_publisher::quarantine::Kept;
use onramp_publisher::{quarantine, rfc3339};
use onramp_translator::{Mapped, RowLimits, TableMapping, Translator};
use tokio::sync::oneshot;

use super::command::{Replay, Replayed};
use super::pieces::Arrival;
use super::start::Parts;
use super::{History, Release};
use crate::quarantine::rebuild::{self, Rebuilt};
use crate::run::attempt::blocking;

/// An arena that holds this much is full.
const ARENA_BYTES: usize = 256 << 10;
/// What headers say of a replay, beside those of its time.
const HEADER_BYTES: usize = 256;
/// So many records that cannot be replayed are told of; the others are counted.
const TOLD: usize = 20;
/// How long an open transaction on the topic is waited for.
const SETTLES_WITHIN: Duration = Duration::from_secs(30);

/// Who waits for a replay.
pub(super) type Asker = oneshot::Sender<Result<Replayed, Vec<Finding>>>;

/// Where a replay is; one at a time.
#[derive(Default)]
pub(super) enum Replaying {
    #[default]
    Nothing,
    /// Its records are being read.
    Reading(Asker),
    /// It waits for a place between two source transactions.
    Ready(Asker, Box<Read>),
}

/// What was read, and what came of it.
pub(super) struct Read {
    product: String,
    arenas: Vec<Arena>,
    told: Replayed,
}

impl History {
    /// Begins a replay that an operator asked for.
    pub(in crate::run) fn replay(&mut self, replay: Replay) {
        let Replay {
            product,
            keys,
            again,
            claim,
            answer,
        } = replay;
        if answer.is_closed() || !claim.take() {
            return;
        }
        let mapped = self.parts.mapped(&product);
        let fit = mapped.filter(|mapped| mapped.quarantine.is_some());
        let busy = !matches!(self.replaying, Replaying::Nothing) || self.orders.replay_waits();
        let why = match fit {
            None => Some((
                "it is not published by this gateway, or has no quarantine",
                "write on_error: quarantine in its file, and start the gateway with it",
            )),
            Some(_) if busy => Some((
                "another replay is under way",
                "give the command again once that one has ended: one goes at a time",
            )),
            Some(_) => None,
        };
        let (Some(mapped), None) = (fit, why) else {
            let (why, remedy) = why.unwrap_or_default();
            let message = format!("{product} is not replayed: {why}");
            let finding = Finding::error(&running::NOT_REPLAYED, Place::Nowhere, message)
                .remedy(remedy)
                .of_product(product);
            // Whoever asked may have gone.
            let _ = answer.send(Err(vec![finding]));
            return;
        };
        let work = Work {
            parts: self.parts.clone(),
            tables: self.parts.tables_of(&product),
            mapped: mapped.clone(),
            product,
            keys,
            again,
        };
        self.replaying = Replaying::Reading(answer);
        let (arrive, mut end) = (self.arrive.clone(), self.end.subscribe());
        tokio::spawn(async move {
            let read = tokio::select! {
                read = blocking(move || work.read()) => read,
                _ = end.changed() => return,
            };
            // Nobody listens where the attempt has ended.
            let _ = arrive.send(Arrival::Replay(read.map(Box::new)));
        });
    }

    /// What a replay read. Where there is nothing to publish it is answered at once.
    pub(super) fn replay_read(&mut self, read: Result<Box<Read>, Failure>) {
        let Replaying::Reading(answer) = std::mem::take(&mut self.replaying) else {
            return;
        };
        let answered = match read {
            Ok(read) if read.told.rows > 0 => {
                self.replaying = Replaying::Ready(answer, read);
                return;
            }
            Ok(read) => Ok(read.told),
            Err(failure) => Err(failure.findings),
        };
        // Whoever asked may have gone.
        let _ = answer.send(answered);
    }

    /// Whether a replay waits to be published.
    pub(super) fn replay_is_ready(&self) -> bool {
        matches!(self.replaying, Replaying::Ready(..))
    }

    /// The events and marks of a replay; its answer waits for their commit.
    pub(super) fn release_replay(&mut self) -> Option<Release> {
        if !self.replay_is_ready() {
            return None;
        }
        let Replaying::Ready(answer, read) = std::mem::take(&mut self.replaying) else {
            return None;
        };
        let Read {
            product,
            mut arenas,
            told,
        } = *read;
        self.commanded += 1;
        let value = serde_json::json!({
            "format": onramp_publisher::progress::FORMAT,
            "replay": format!("{}-{}", self.parts.instance, self.commanded),
            "rows": told.rows,
            "events": told.events,
        });
        let note = (format!("{REPLAY_KEY}{product}"), value.to_string());
        tracing::info!(%product, rows = told.rows, events = told.events, "rows in quarantine are told late");
        arenas.last_mut()?.notes.push(note.clone());
        self.orders.wait_for_replay(note, told, answer);
        Some(arenas)
    }
}

/// The reading of a product's quarantine, on a thread that may block.
struct Work {
    parts: Arc<Parts>,
    /// Its tables.
    tables: Vec<TableDescription>,
    mapped: Mapped,
    product: String,
    keys: Vec<String>,
    again: bool,
}

impl Work {
    fn read(self) -> Result<Read, Failure> {
        let mut read = Read {
            product: self.product.clone(),
            arenas: vec![Arena::default()],
            told: Replayed::default(),
        };
        let Some(topic) = self.mapped.product.quarantine_topic() else {
            return Ok(read);
        };
        let kafka = &self.parts.kafka;
        quarantine::settle(kafka, &topic, SETTLES_WITHIN)?;
        let mut marked = HashSet::new();
        quarantine::read(kafka, &topic, |kept| {
            let value = serde_json::from_slice(kept.value).unwrap_or_default();
            marked.extend(rebuild::marked(&value));
        })?;
        let mut bytes = 0;
        quarantine::read(kafka, &topic, |kept| {
            let value: serde_json::Value = serde_json::from_slice(kept.value).unwrap_or_default();
            let named = |key: &String| key.as_bytes() == kept.key;
            if rebuild::marked(&value).is_some()
                || !self.keys.is_empty() && !self.keys.iter().any(named)
            {
                return;
            }
            if marked.contains(&kept.offset) && !self.again {
                read.told.before += 1;
            } else if bytes >= self.parts.chunk_bytes {
                read.told.left += 1;
            } else if self.take(&kept, &value, &mut read) {
                // Those that are refused are not held: however many, others come behind them.
                bytes += kept.value.len();
            }
        })?;
        Ok(read)
    }

    /// Takes a record among those that are told; whether it is one.
    fn take(&self, kept: &Kept<'_>, value: &serde_json::Value, read: &mut Read) -> bool {
        let full = |arena: &Arena| arena.bytes.len() >= ARENA_BYTES;
        if read.arenas.last().is_none_or(full) {
            read.arenas.push(Arena::default());
        }
        let Some(arena) = read.arenas.last_mut() else {
            return false;
        };
        let told = &mut read.told;
        match self.translate(kept, value, arena) {
            Ok(events) => {
                told.rows += 1;
                told.events += events as u64;
                true
            }
            Err(why) => {
                told.refused += 1;
                if told.findings.len() < TOLD {
                    let offset = kept.offset;
                    let message = format!("the row at offset {offset} is not replayed: {why}");
                    told.findings.push(not_replayed(&self.product, message));
                }
                false
            }
        }
    }

    /// A record's events and its mark, in the arena; how many events.
    fn translate(
        &self,
        kept: &Kept<'_>,
        value: &serde_json::Value,
        arena: &mut Arena,
    ) -> Result<usize, String> {
        let product = &self.mapped.product;
        let name = value["table"].as_str().unwrap_or_default();
        let table = self.tables.iter().find(|t| t.name.to_string() == name);
        let table = table.ok_or_else(|| {
            format!("table {name:?} of the record is none that the product reads now")
        })?;
        let Rebuilt { batch, table, read } = rebuild::rebuild(value, product, table)?;
        let mapped = Mapped {
            quarantine: None,
            rows: None,
            ..self.mapped.clone()
        };
        let mapping = TableMapping {
            table,
            products: vec![mapped],
        };
        let limits = self.parts.limits;
        let limits = RowLimits {
            row_bytes: limits.row_bytes.saturating_sub(HEADER_BYTES),
            ..limits
        };
        let mut translator = Translator::new(vec![mapping], self.parts.keys.clone(), limits);
        if let Some((run, at_us)) = &read {
            translator.begin_snapshot(run, *at_us);
        }
        let (first, known) = (arena.records.len(), arena.transactions.len());
        let held = arena.bytes.len();
        let done = translator.apply(&batch, 0..batch.items.len(), arena, usize::MAX);
        if let Err(stopped) = done {
            arena.transactions.truncate(known);
            arena.bytes.truncate(held);
            let failure = stopped.failure("quarantine");
            let told = failure.findings.iter().map(|finding| {
                let reason = finding.reason.as_deref().unwrap_or_default();
                format!("{}: {}: {reason}", finding.code.id, finding.message)
            });
            return Err(told.collect::<Vec<_>>().join("; "));
        }
        let events = arena.records.len() - first;
        if arena.transactions.len() == known {
            let place = arena.push(value["position"].as_str().unwrap_or_default().as_bytes());
            let id = arena.push(value["transaction"].as_str().unwrap_or_default().as_bytes());
            arena.transactions.push(Transaction {
                origin: Origin::Log(0),
                place,
                id,
                committed_at_us: value["committed_at_us"].as_i64().unwrap_or_default(),
                replayed: None,
            });
        }
        for transaction in &mut arena.transactions[known..] {
            transaction.replayed = Some(kept.offset);
        }
        arena.rows = 0;
        arena.passed_over = 0;
        if let Some(to) = self.mapped.quarantine {
            self.mark(kept, events, (to.route, to.partitions), arena);
        }
        Ok(events)
    }

    fn mark(&self, kept: &Kept<'_>, events: usize, to: (RouteId, i32), arena: &mut Arena) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now_us = now.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX));
        let mark = rebuild::mark(&self.product, kept.offset, events, &rfc3339(now_us));
        let (key, value) = (arena.push(kept.key), arena.push(mark.as_bytes()));
        let transaction = arena.transactions.len() as u32 - 1;
        let (route, partitions) = to;
        arena.records.push(Record {
            route,
            r#type: 0,
            partition: partition(kept.key, partitions),
            transaction,
            ordinal: 0,
            key,
            subject: key,
            value: Some(value),
            id: None,
            at_us: Some(now_us),
            headers: Span::default(),
            row: Span::default(),
        });
    }
}

fn not_replayed(product: &str, message: String) -> Finding {
    Finding::error(&running::NOT_REPLAYED, Place::Nowhere, message)
        .because(running::NOT_REPLAYED.reason)
        .remedy(running::NOT_REPLAYED.remedy)
        .of_product(product.to_owned())
}
