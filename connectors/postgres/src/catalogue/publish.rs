//! Has the publication hold the tables, whatever else holds locks on them.
//!
//! A lock that waits makes everybody wait who comes after it and whom it conflicts with, though they
//! would not wait for each other. So no lock is waited for longer than [`LOCK_TIMEOUT_MS`], and one
//! that is bound to be refused, because a transaction that was in the way before still is, is not
//! even asked for. Tables that could not be locked are left out where others are published
//! already: those are streamed meanwhile. Nothing is ever taken out of a publication.

use std::collections::BTreeSet;
use std::time::Duration;

use onramp_connector::{Ident, Lacking, PrepareRequest};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::locks::{self, Lock};
use super::prepare::{errors, may_not_create};
use super::publication::{self, Publication};
use super::session::Session;
use super::{describe, sql, tables};
use crate::Names;

/// How long a statement on the publication may wait for its locks: while it waits, others queue
/// behind it.
const LOCK_TIMEOUT_MS: u64 = 200;
/// How long it is before the next try, where nothing can go on without it.
const PAUSE: Duration = Duration::from_millis(500);
/// How often those in the way are shown meanwhile.
const WAITING_SHOWN_EVERY: Duration = Duration::from_secs(5);

/// Makes or alters the publication; gives the tables that it still lacks. Where nothing could be
/// streamed without them they are waited for, and none is lacking in the end.
pub(super) async fn publish(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
    decoding: bool,
) -> Result<Vec<Lacking>, Failure> {
    let found = check(session, names, request).await?;
    let wanted = wanted(request);
    let waited = Waited::new(names);
    let Some(found) = found else {
        create(session, names, request, Lock::to_add(decoding), waited).await?;
        return Ok(Vec::new());
    };
    if let Some(statement) = publication::drop_unmapped(&names.publication, &found, &wanted) {
        tracing::info!(publication = %names.publication, %statement, "tables that no product maps stay in the publication; this takes them out");
    }
    let add = Add {
        session,
        names,
        found: &found,
        request,
        lock: Lock::to_add(decoding),
    };
    let missing: Vec<&Ident> = wanted.iter().filter(|t| !found.names(t)).collect();
    let some_flow = request.progress.is_some() && missing.len() < wanted.len();
    let mut lacking = Vec::new();
    for table in missing {
        lacking.extend(add.tried(table, 0).await?);
    }
    if some_flow {
        return Ok(lacking);
    }
    add.all(lacking, waited).await?;
    Ok(Vec::new())
}

/// One more try at a table that [`publish`] left out; None once the publication holds it.
pub(crate) async fn hold(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
    lacking: &Lacking,
) -> Result<Option<Lacking>, Failure> {
    let request = only(request, &lacking.table);
    let Some(found) = check(session, names, &request).await? else {
        // To make it anew here would leave out the tables that are streamed.
        let place = Place::Source(format!("publication {}", names.publication));
        let finding = Finding::error(&codes::NO_PUBLICATION, place, "the publication is gone");
        return Err(Failure::stop(Kind::Source, finding));
    };
    if found.names(&lacking.table) {
        return Ok(None);
    }
    let add = Add {
        session,
        names,
        found: &found,
        request: &request,
        lock: Lock::to_add(true),
    };
    add.again(lacking).await
}

/// The tables that a publication is to have.
pub(super) fn wanted(request: &PrepareRequest) -> BTreeSet<Ident> {
    request.tables.iter().map(|t| t.table.clone()).collect()
}

/// What a request says of one table.
fn only(request: &PrepareRequest, table: &Ident) -> PrepareRequest {
    let mut request = request.clone();
    request.tables.retain(|t| t.table == *table);
    request
}

/// Refuses what must not be published, before anything is altered; gives the publication, if there
/// is one.
async fn check(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
) -> Result<Option<Publication>, Failure> {
    let idents: Vec<Ident> = request.tables.iter().map(|t| t.table.clone()).collect();
    let described = describe::tables(session, &idents).await?;
    let found = publication::find(session, &names.publication).await?;
    let mut wrong = tables::refused(names, request, &described);
    wrong.extend(publication::judge(
        names,
        request,
        &described,
        found.as_ref(),
    ));
    errors(wrong)?;
    Ok(found)
}

/// Makes the publication with every table.
async fn create(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
    lock: Lock,
    mut waited: Waited<'_>,
) -> Result<(), Failure> {
    let wanted = wanted(request);
    let statement = publication::create(&names.publication, &wanted);
    let tables: Vec<Ident> = wanted.into_iter().collect();
    let look = async || {
        let mut seen = Vec::with_capacity(tables.len());
        for table in &tables {
            seen.push(locks::holders(session, table, lock).await?);
        }
        Ok::<_, Failure>(seen)
    };
    let mut before: Vec<Vec<String>> = Vec::new();
    loop {
        let mut now = look().await?;
        let mut both = before.iter().zip(&now);
        if !both.any(|(before, now)| locks::still(before, now)) {
            if altered(session, names, request, lock.on(&tables), &statement).await? {
                return Ok(());
            }
            now = look().await?;
        }
        for (table, holders) in tables.iter().zip(&now) {
            waited.show(table, holders);
        }
        before = now;
        waited.pause().await;
    }
}

/// Adds tables to a publication, one at a time: one that is locked keeps no other out.
struct Add<'a> {
    session: &'a Session,
    names: &'a Names,
    found: &'a Publication,
    request: &'a PrepareRequest,
    lock: Lock,
}

impl Add<'_> {
    /// Asks for the table's lock and adds it; where that was in vain, who is in the way.
    async fn tried(&self, table: &Ident, tries: u32) -> Result<Option<Lacking>, Failure> {
        let name = &self.names.publication;
        let one = BTreeSet::from([table.clone()]);
        let Some(statement) = publication::add(name, self.found, &one) else {
            return Ok(None);
        };
        let locked = self.lock.on(std::slice::from_ref(table));
        let request = only(self.request, table);
        if altered(self.session, self.names, &request, locked, &statement).await? {
            return Ok(None);
        }
        Ok(Some(Lacking {
            table: table.clone(),
            waits_for: locks::holders(self.session, table, self.lock).await?,
            tries: tries + 1,
        }))
    }

    /// The same, but where those in the way still are it is not asked for.
    async fn again(&self, lacking: &Lacking) -> Result<Option<Lacking>, Failure> {
        let holders = locks::holders(self.session, &lacking.table, self.lock).await?;
        if locks::still(&lacking.waits_for, &holders) {
            return Ok(Some(Lacking {
                waits_for: holders,
                ..lacking.clone()
            }));
        }
        self.tried(&lacking.table, lacking.tries).await
    }

    /// Waits until the publication holds all of them.
    async fn all(&self, mut lacking: Vec<Lacking>, mut waited: Waited<'_>) -> Result<(), Failure> {
        while !lacking.is_empty() {
            for one in &lacking {
                waited.show(&one.table, &one.waits_for);
            }
            waited.pause().await;
            let mut left = Vec::new();
            for one in &lacking {
                left.extend(self.again(one).await?);
            }
            lacking = left;
        }
        Ok(())
    }
}

/// Shows what a start waits for, now and then.
struct Waited<'a> {
    names: &'a Names,
    shown: Option<Instant>,
}

impl<'a> Waited<'a> {
    fn new(names: &'a Names) -> Waited<'a> {
        Waited { names, shown: None }
    }

    fn due(&self) -> bool {
        self.shown
            .is_none_or(|at| at.elapsed() >= WAITING_SHOWN_EVERY)
    }

    fn show(&self, table: &Ident, holders: &[String]) {
        if self.due() && !holders.is_empty() {
            let (publication, waits_for) = (&self.names.publication, holders.join("; "));
            tracing::warn!(%publication, %table, %waits_for, "waiting for a table's lock");
        }
    }

    async fn pause(&mut self) {
        if self.due() {
            self.shown = Some(Instant::now());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Runs a statement on the publication; false where its locks were not had in time.
async fn altered(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
    locked: &[Ident],
    statement: &str,
) -> Result<bool, Failure> {
    let trouble = match guarded(session, names, request, locked, statement).await {
        Ok(()) => {
            tracing::info!(%statement, "publication altered");
            return Ok(true);
        }
        Err(trouble) => trouble,
    };
    // What it says is of no matter: where it fails the connection is gone, and so is the transaction.
    let _ = session.run("ROLLBACK").await;
    let error = match trouble {
        Trouble::Refused(failure) => return Err(failure),
        Trouble::Server(error) => error,
    };
    match error.code() {
        Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Err(may_not_create(
            &format!("publication {}", names.publication),
            statement.to_owned(),
            "the role may not: a publication is made and altered by a role that may CREATE in the database and owns the publication and its tables",
        )),
        // Another instance was quicker: what it made is looked at anew.
        Some(&SqlState::DUPLICATE_OBJECT) => Err(Failure {
            retry: true,
            ..session.refused(&error)
        }),
        _ => Err(session.refused(&error)),
    }
}

enum Trouble {
    Server(tokio_postgres::Error),
    Refused(Failure),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Trouble::Server(error)
    }
}

/// Runs a statement on the publication in a transaction that is committed only if the tables are
/// still fit when their locks are held: a replica identity may have gone, or a partition come.
async fn guarded(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
    locked: &[Ident],
    statement: &str,
) -> Result<(), Trouble> {
    let tables: Vec<String> = locked.iter().map(sql::table).collect();
    let lock = if tables.is_empty() {
        String::new()
    } else {
        format!(
            "LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE; ",
            tables.join(", ONLY ")
        )
    };
    session
        .run(&format!(
            "BEGIN; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; {lock}{statement}"
        ))
        .await?;
    let idents: Vec<Ident> = request.tables.iter().map(|t| t.table.clone()).collect();
    let described = describe::tables(session, &idents)
        .await
        .map_err(Trouble::Refused)?;
    errors(tables::refused(names, request, &described)).map_err(Trouble::Refused)?;
    session.run("COMMIT").await?;
    Ok(())
}
