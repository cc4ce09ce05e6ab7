//! A reader: a thread with a connection of its own that reads chunks and encodes them.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use onramp_connector::{Batch, Chunk, ChunkLimits, ChunkRange, TableReader};
use onramp_event::Arena;
use onramp_finding::Failure;
use onramp_finding::codes::running;
use onramp_translator::Translator;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::group::Group;
use super::pieces::{Arrival, ReadChunk, Shared, Task};
use super::ranges::{Cursor, FIRST_PAUSE, LONGEST_PAUSE, limits, pause, rest};
use super::start::Parts;
use super::waits::Waits;

/// Chunks that one reader may have read and not yet seen released: one waits for the stream while
/// the next is read.
const ROOM: usize = 2;
/// An arena that holds this much is full.
const ARENA_BYTES: usize = 256 << 10;
/// How often the source is asked which transactions are waited for.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// What all readers have in common.
pub(super) struct Readers {
    pub(super) parts: Arc<Parts>,
    pub(super) shared: Arc<Shared>,
    pub(super) groups: Vec<Arc<Group>>,
    pub(super) arrivals: mpsc::UnboundedSender<Arrival>,
    pub(super) waits: Waits,
}

impl Readers {
    fn limits(&self) -> ChunkLimits {
        limits(self.parts.snapshot.chunk_rows, self.parts.chunk_bytes)
    }
}

/// Starts a reader; it ends when nothing is left, or when `end`'s sender is gone.
pub(super) fn start(
    number: usize,
    readers: Arc<Readers>,
    mut end: watch::Receiver<()>,
) -> Result<(), Failure> {
    let no_thread = |e: std::io::Error| {
        Failure::internal(&running::INTERNAL, format!("no thread to read tables: {e}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(no_thread)?;
    std::thread::Builder::new()
        .name(format!("history-{number}"))
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = read(number, &readers) => {}
                    _ = end.changed() => {}
                }
            });
        })
        .map_err(no_thread)?;
    Ok(())
}

async fn read(number: usize, readers: &Readers) {
    if let Err(failure) = Reader::new(number, readers).run().await {
        // Nobody listens where the stream has ended already.
        let _ = readers.arrivals.send(Arrival::Failed(failure));
    }
}

struct Reader<'r> {
    number: usize,
    readers: &'r Readers,
    room: Arc<Semaphore>,
    back: (mpsc::UnboundedSender<Task>, mpsc::UnboundedReceiver<Task>),
    /// The table that is being read.
    open: Option<OpenTable>,
    batch: Batch,
}

struct OpenTable {
    group: usize,
    table: Box<dyn TableReader>,
    translator: Translator,
}

impl<'r> Reader<'r> {
    fn new(number: usize, readers: &'r Readers) -> Reader<'r> {
        Reader {
            number,
            readers,
            room: Arc::new(Semaphore::new(ROOM)),
            back: mpsc::unbounded_channel(),
            open: None,
            batch: Batch::default(),
        }
    }

    async fn run(&mut self) -> Result<(), Failure> {
        loop {
            let Some(mut room) = self.room().await else {
                return Ok(());
            };
            // What came back is first: everything behind it waits for it.
            let mut task = self.back.1.try_recv().ok();
            if task.is_none() {
                task = self.next().await?;
            }
            if task.is_none() {
                drop(room);
                task = self.last().await;
                match self.room().await {
                    Some(again) => room = again,
                    None => return Ok(()),
                }
            }
            match task {
                Some(task) => self.piece(task, room).await?,
                None => return Ok(()),
            }
        }
    }

    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.room.clone().acquire_owned().await.ok()
    }

    /// Nothing is left to hand out; what comes back is still ours to read. None once every chunk of
    /// ours was released.
    async fn last(&mut self) -> Option<Task> {
        let all = self.room.clone().acquire_many_owned(ROOM as u32);
        tokio::select! {
            biased;
            task = self.back.1.recv() => task,
            _ = all => self.back.1.try_recv().ok(),
        }
    }

    /// Reads a range whole: where a limit ends a chunk, the rest is the next one.
    async fn piece(
        &mut self,
        mut task: Task,
        mut room: OwnedSemaphorePermit,
    ) -> Result<(), Failure> {
        loop {
            let range = task.range.clone();
            let reading = self.readers.shared.begin();
            let (read, arenas) = self.chunk(&task.group, &range).await?;
            let last = read.last.clone();
            let chunk = ReadChunk {
                group: task.group.clone(),
                range: range.clone(),
                read,
                arenas,
                back: self.back.0.clone(),
                _room: room,
                _reading: reading,
            };
            // Nobody listens where the stream has ended: so do we, soon.
            let _ = self.readers.arrivals.send(Arrival::Chunk(Box::new(chunk)));
            let Some(last) = last else { return Ok(()) };
            let Some(next) = self.room().await else {
                return Ok(());
            };
            room = next;
            // A chunk that came back comes before the rest behind it.
            while let Ok(again) = self.back.1.try_recv() {
                Box::pin(self.piece(again, room)).await?;
                match self.room().await {
                    Some(next) => room = next,
                    None => return Ok(()),
                }
            }
            task = Task {
                group: task.group,
                range: rest(&range, last),
            };
        }
    }

    /// The next range of the first table that has one.
    async fn next(&mut self) -> Result<Option<Task>, Failure> {
        let groups = &self.readers.groups;
        for group in groups {
            let mut cursor = group.cursor.lock().await;
            if cursor.exhausted {
                continue;
            }
            if let Some(range) = self.hand_out(group, &mut cursor).await? {
                let group = group.clone();
                return Ok(Some(Task { group, range }));
            }
        }
        Ok(None)
    }

    async fn hand_out(
        &mut self,
        group: &Arc<Group>,
        cursor: &mut Cursor,
    ) -> Result<Option<ChunkRange>, Failure> {
        let rows = self.readers.limits().rows;
        let mut longer = FIRST_PAUSE;
        loop {
            let open = self.open(group).await?;
            match cursor.hand_out(open.table.as_mut(), rows).await {
                Ok(range) => return Ok(range),
                Err(failure) => pause(failure, &mut longer).await?,
            }
        }
    }

    /// Reads a chunk that counts, and encodes it.
    async fn chunk(
        &mut self,
        group: &Arc<Group>,
        range: &ChunkRange,
    ) -> Result<(Chunk, Vec<Arena>), Failure> {
        let mut longer = FIRST_PAUSE;
        loop {
            self.wait_for_floor(group).await?;
            let limits = self.readers.limits();
            let mut batch = std::mem::take(&mut self.batch);
            let open = self.open(group).await?;
            let read = open.table.read(range, limits, &mut batch).await;
            self.batch = batch;
            match read {
                Ok(read) => {
                    self.readers.shared.saw(read.visibility.horizon());
                    if read.visibility.horizon() >= self.floor(group) {
                        let arenas = self.encode(group)?;
                        return Ok((read, arenas));
                    }
                }
                Err(failure) => pause(failure, &mut longer).await?,
            }
        }
    }

    fn floor(&self, group: &Group) -> u64 {
        self.readers.shared.floor().max(group.floor)
    }

    /// Waits until a reading that begins now sees everything that may have been forgotten; says
    /// which transactions it waits for.
    async fn wait_for_floor(&mut self, group: &Group) -> Result<(), Failure> {
        let mut longer = FIRST_PAUSE;
        let since = Instant::now();
        let mut asked = since;
        loop {
            let floor = self.floor(group);
            if self.readers.shared.known() >= floor {
                self.readers.waits.over(group.index, self.number);
                return Ok(());
            }
            match self.readers.parts.connector.visibility().await {
                Ok(now) => self.readers.shared.saw(now.horizon()),
                Err(failure) => pause(failure, &mut longer).await?,
            }
            if self.readers.shared.known() >= floor {
                continue;
            }
            if asked.elapsed() >= ASKED_EVERY {
                asked = Instant::now();
                match self.readers.parts.connector.waits_for(floor).await {
                    Ok(open) if !open.is_empty() => {
                        let (waits, products) = (&self.readers.waits, group.products());
                        waits.waits(group.index, self.number, &products, since, open);
                    }
                    // It ended between the two questions.
                    Ok(_) => {}
                    Err(failure) => pause(failure, &mut longer).await?,
                }
            }
            tokio::time::sleep(longer).await;
            longer = (longer * 2).min(LONGEST_PAUSE / 4);
        }
    }

    async fn open(&mut self, group: &Arc<Group>) -> Result<&mut OpenTable, Failure> {
        if self.open.as_ref().is_none_or(|o| o.group != group.index) {
            // The one before gives its connection back first.
            self.open = None;
            let table = self
                .readers
                .parts
                .connector
                .table_reader(&group.table)
                .await?;
            let translator = Translator::new(
                vec![group.mapping.clone()],
                self.readers.parts.keys.clone(),
                self.readers.parts.limits,
            );
            self.open = Some(OpenTable {
                group: group.index,
                table,
                translator,
            });
        }
        // Just made where there was none.
        self.open
            .as_mut()
            .ok_or_else(|| Failure::internal(&running::INTERNAL, "no table is open"))
    }

    fn encode(&mut self, group: &Group) -> Result<Vec<Arena>, Failure> {
        let Some(open) = &mut self.open else {
            return Ok(Vec::new());
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now_us = now.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX));
        open.translator.begin_snapshot(&group.run, now_us);
        let mut arenas = Vec::new();
        let mut next = 0;
        while next < self.batch.items.len() {
            let mut arena = Arena::default();
            let items = next..self.batch.items.len();
            let done = open
                .translator
                .apply(&self.batch, items, &mut arena, ARENA_BYTES);
            let done = done.map_err(|stopped| stopped.failure("rows read from the table"))?;
            next = done.next;
            // What the log brings is counted by the log.
            arena.rows = 0;
            arenas.push(arena);
        }
        Ok(arenas)
    }
}
