//! New products whose tables are locked by others: left out at first, so that the rest streams.
//!
//! To have a table's changes held takes a lock on it for a moment, and a transaction of the
//! application may be in the way for hours. So an attempt leaves the products of such tables out
//! altogether (no schema, no topic, nothing in progress says that they are published), streams the
//! others, and asks for the locks beside that. As soon as one is had the attempt ends between two
//! source transactions, and the next begins with that product as with any new one: its rows are
//! read from a moment on at which the log had its changes already.

use std::sync::Arc;
use std::time::{Duration, Instant};

use onramp_connector::{Connector, Ident, Lacking, PrepareRequest, Prepared};
use onramp_finding::Failure;
use onramp_language::Product;
use onramp_publisher::progress::{ProductStatus, Progress};
use tokio::sync::watch;

use super::attempt::Context;
use super::newcomers::Newcomers;
use super::{products, sources};
use crate::cli::one_line;
use crate::health::{Board, PendingShown};

/// How often those in the way are looked at; a look keeps nobody waiting.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest pause after tries in vain, each of which may have kept writers waiting.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How soon the log tells of others in the way, and how soon of the same ones again.
const NEWS_EVERY: Duration = Duration::from_secs(30);
const REMIND_EVERY: Duration = Duration::from_secs(600);
/// The most transactions that are named.
const NAMED: usize = 5;

/// Prepares the source; the board tells what that waits for.
pub(super) async fn prepare(
    board: &Board,
    connector: &dyn Connector,
    request: &PrepareRequest,
) -> Result<Prepared, Failure> {
    let preparing = connector.prepare(request);
    tokio::pin!(preparing);
    loop {
        tokio::select! {
            prepared = &mut preparing => {
                board.waiting(None);
                return prepared;
            }
            () = tokio::time::sleep(LOOK_EVERY) => {
                // What cannot be asked is not told: preparing says itself what is wrong.
                if let Ok(waits) = connector.held_up_by(request).await {
                    board.waiting((!waits.is_empty()).then(|| named(&waits)));
                }
            }
        }
    }
}

/// The products that an attempt leaves out, and the tables that may come to those of several.
pub(super) struct Pending {
    connector: Arc<dyn Connector>,
    request: PrepareRequest,
    waiting: Vec<Waiting>,
    newcomers: Newcomers,
}

/// One table's wait.
struct Waiting {
    lacking: Lacking,
    products: Vec<String>,
    /// Why the last try was not one for a lock.
    refused: Option<String>,
    next: Instant,
    told: Told,
}

impl Waiting {
    fn why(&self) -> String {
        match &self.refused {
            Some(failure) => format!("refused: {failure}"),
            None => format!("locked by {}", named(&self.lacking.waits_for)),
        }
    }
}

impl Pending {
    /// The board tells of them from now on.
    pub(super) fn new(
        context: &Context,
        connector: Arc<dyn Connector>,
        request: PrepareRequest,
        lacking: Vec<Lacking>,
        seen: Option<&Progress>,
    ) -> Pending {
        let waiting = lacking.into_iter().map(|lacking| Waiting {
            products: products_of(context, &lacking.table, seen),
            next: Instant::now() + pause(lacking.tries),
            lacking,
            refused: None,
            told: Told::default(),
        });
        let mut pending = Pending {
            connector,
            request,
            waiting: waiting.collect(),
            newcomers: Newcomers::new(&context.gateway),
        };
        pending.tell(&context.board);
        pending
    }

    /// Whether a table's products are left out.
    pub(super) fn lacks(&self, table: &Ident) -> bool {
        self.waiting.iter().any(|w| w.lacking.table == *table)
    }

    /// What the others are about.
    pub(super) fn without(&self, context: &Arc<Context>) -> Arc<Context> {
        if self.waiting.is_empty() {
            return context.clone();
        }
        let mut gateway = context.gateway.clone();
        let published = products_to_leave_out(&self.waiting);
        let left_out = |name: String| published.contains(&&name);
        let products = gateway.products.into_iter();
        gateway.products = products
            .filter(|p| !left_out(p.name.value.to_string()))
            .collect();
        // A union that was published before goes on with the tables that it had.
        for product in &mut gateway.products {
            let tables = &mut product.tables;
            if tables.union {
                let there = tables.read().into_iter();
                let held = |(schema, table): &(String, String)| {
                    let (schema, table) = (schema.clone(), table.clone());
                    !self.lacks(&Ident { schema, table })
                };
                tables.found = Some(there.filter(held).collect());
            }
        }
        context.of(gateway)
    }

    /// Whether the attempt must not go on with what it leaves out.
    pub(super) fn is_outdated(&self, lacking: &[Lacking], settled: Option<&Progress>) -> bool {
        let tables: Vec<&Ident> = lacking.iter().map(|l| &l.table).collect();
        outdated(&self.waiting, &tables, settled)
    }

    /// Tries until a table's changes are held, or another table has come to a union, then says so and
    /// ends. Goes on for ever where nothing is left out and nothing can come.
    pub(super) async fn watch(mut self, board: Board, joined: watch::Sender<bool>) {
        loop {
            let waiting = self.waiting.iter().map(|w| w.next);
            let Some(next) = waiting.chain(self.newcomers.next()).min() else {
                break;
            };
            tokio::time::sleep_until(next.into()).await;
            if self.look().await || self.newcomers.came(self.connector.as_ref()).await {
                // Nobody listens where the attempt has ended.
                let _ = joined.send(true);
                return;
            }
            self.tell(&board);
        }
        joined.closed().await;
    }

    /// Looks after those whose time has come. Whether any is held now.
    async fn look(&mut self) -> bool {
        let mut any = false;
        for waiting in &mut self.waiting {
            if Instant::now() < waiting.next {
                continue;
            }
            let table = &waiting.lacking.table;
            match self.connector.hold(&self.request, &waiting.lacking).await {
                Ok(None) => {
                    tracing::info!(%table, products = waiting.products.join(", "), "the table's changes are held now; streaming begins anew with it");
                    any = true;
                }
                Ok(Some(lacking)) => {
                    waiting.lacking = lacking;
                    waiting.refused = None;
                }
                // It was fit when the attempt began. The others are not stopped for it: the next
                // start refuses what is still wrong then.
                Err(failure) => {
                    waiting.refused = Some(one_line(&failure));
                    waiting.lacking.tries = waiting.lacking.tries.saturating_add(1);
                }
            }
            waiting.next = Instant::now() + pause(waiting.lacking.tries);
        }
        any
    }

    fn tell(&mut self, board: &Board) {
        let mut shown = Vec::new();
        for waiting in &mut self.waiting {
            let (table, why) = (&waiting.lacking.table, waiting.why());
            let products = waiting.products.join(", ");
            if waiting.told.is_due(&why, Instant::now()) {
                match products.is_empty() {
                    true => {
                        tracing::warn!(%table, %why, "a new table of a union cannot be published yet: the union's other tables stream")
                    }
                    false => {
                        tracing::warn!(%table, %products, %why, "a new table cannot be published yet: its products are left out, the others stream")
                    }
                }
            }
            shown.extend(waiting.products.iter().map(|product| PendingShown {
                product: product.clone(),
                table: table.to_string(),
                why: why.clone(),
            }));
        }
        board.pending(shown);
    }
}

/// While an attempt waits for the source's lock, another instance may publish a product that this one
/// leaves out, whose changes it would acknowledge away; or a table may be taken out of what is held,
/// and nothing that it publishes would come.
fn outdated(waiting: &[Waiting], lacking: &[&Ident], settled: Option<&Progress>) -> bool {
    let known = |name: &&String| {
        let state = settled.and_then(|s| s.products.get(*name));
        state.is_some_and(|s| s.status == ProductStatus::Active)
    };
    let left_out = |table: &Ident| waiting.iter().any(|w| w.lacking.table == *table);
    products_to_leave_out(waiting).iter().any(known) || lacking.iter().any(|t| !left_out(t))
}

/// The products that cannot be published without a table: all of it, but for a union that was published
/// before the table came.
fn products_of(context: &Context, table: &Ident, seen: Option<&Progress>) -> Vec<String> {
    let goes_on = |p: &Product| {
        let state = seen.and_then(|s| s.products.get(&p.name.value.to_string()));
        p.tables.union && state.is_some_and(|s| s.status == ProductStatus::Active)
    };
    let published = products::published(&context.gateway).into_iter();
    let of_table = published.filter(|p| sources::reads(p, table) && !goes_on(p));
    of_table.map(|p| p.name.value.to_string()).collect()
}

fn products_to_leave_out(waiting: &[Waiting]) -> Vec<&String> {
    waiting.iter().flat_map(|w| &w.products).collect()
}

/// How long a table is left alone after so many tries in vain. A wait for the same transaction
/// adds none.
fn pause(tries: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
    LOOK_EVERY.saturating_mul(doubled).min(LONGEST_PAUSE)
}

/// Those in the way, on one line.
fn named(waits_for: &[String]) -> String {
    let mut text = waits_for
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    if waits_for.is_empty() {
        text.push_str("transactions that have ended meanwhile");
    } else if waits_for.len() > NAMED {
        text.push_str(&format!("; and {} more", waits_for.len() - NAMED));
    }
    text
}

/// What the log was told last.
#[derive(Default)]
struct Told {
    last: Option<(Instant, String)>,
}

impl Told {
    /// Whether the log is to be told this now: at once, then of others after a while, and of the
    /// same ones once in a long while.
    fn is_due(&mut self, text: &str, now: Instant) -> bool {
        let due = self.last.as_ref().is_none_or(|(at, last)| {
            let since = now.saturating_duration_since(*at);
            since >= REMIND_EVERY || (since >= NEWS_EVERY && last != text)
        });
        if due {
            self.last = Some((now, text.to_owned()));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use onramp_publisher::progress::{FORMAT, ProductState};

    use super::*;

    #[test]
    fn what_another_instance_has_published_meanwhile_is_not_left_out() {
        let ident = |table: &str| Ident {
            schema: "public".into(),
            table: table.into(),
        };
        let waiting = [Waiting {
            lacking: Lacking {
                table: ident("b"),
                waits_for: Vec::new(),
                tries: 1,
            },
            products: vec!["shop.b.v1".into()],
            refused: None,
            next: Instant::now(),
            told: Told::default(),
        }];
        let published = |name: &str| {
            let state = ProductState {
                format: FORMAT,
                from: "0/1".into(),
                contract_hash: String::new(),
                mapping_hash: String::new(),
                topic_id: None,
                partitions: 3,
                key_schema_id: None,
                value_schema_id: None,
                event_schema_ids: Default::default(),
                tables: Vec::new(),
                status: ProductStatus::Active,
                protection: None,
            };
            let mut progress = Progress::default();
            progress.products.insert(name.into(), state);
            progress
        };
        let (others, it) = (published("shop.a.v1"), published("shop.b.v1"));
        let (b, c) = (ident("b"), ident("c"));
        assert!(!outdated(&waiting, &[&b], Some(&others)));
        assert!(!outdated(&waiting, &[], Some(&others)));
        assert!(outdated(&waiting, &[], Some(&it)));
        assert!(outdated(&waiting, &[&b], Some(&it)));
        // One that was held when the attempt began.
        assert!(outdated(&waiting, &[&b, &c], Some(&others)));
        assert!(!outdated(&[], &[], Some(&it)));
    }

    #[test]
    fn tries_in_vain_become_rarer_and_never_too_rare() {
        let seconds: Vec<u64> = (0..8).map(|tries| pause(tries).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn the_log_is_told_at_once_then_of_news_and_now_and_then() {
        let (mut told, start) = (Told::default(), Instant::now());
        let mut due = |text: &str, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            told.is_due(text, now)
        };
        assert!(due("a", 0));
        assert!(!due("b", 1) && !due("a", 29) && !due("a", 31));
        assert!(due("b", 32));
        assert!(!due("b", 600));
        assert!(due("b", 632));
    }

    #[test]
    fn no_more_are_named_than_can_be_read() {
        let all: Vec<String> = (0..7).map(|n| format!("t{n}")).collect();
        assert_eq!(named(&all), "t0; t1; t2; t3; t4; and 2 more");
        assert_eq!(named(&all[..2]), "t0; t1");
    }
}
