//! Tells the server what is committed, and that we are alive, whatever the caller does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use onramp_connector::{Acknowledge, Position};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::decode::EPOCH_US;
use crate::lsn::Lsn;

/// Acknowledgements are gathered this long.
const GATHER: Duration = Duration::from_millis(100);
/// The server hears of us at least this often: its own timeout is a minute unless set lower.
const ALIVE: Duration = Duration::from_secs(1);

/// What the reader, the acknowledger and the writing task share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Everything before it is committed; only grows.
    committed: AtomicU64,
    /// The server wants an answer at once.
    answer: AtomicBool,
    /// We want one.
    ask: AtomicBool,
    woken: Notify,
}

impl Shared {
    /// The server asked.
    pub(super) fn answer(&self) {
        self.answer.store(true, Ordering::Release);
        self.woken.notify_one();
    }

    /// Asks the server whether it is there.
    pub(super) fn ask(&self) {
        self.ask.store(true, Ordering::Release);
        self.answer();
    }
}

/// The end that another thread acknowledges with.
pub(super) struct Acknowledger(pub(super) Arc<Shared>);

impl Acknowledge for Acknowledger {
    fn acknowledge(&self, position: &Position) {
        let Some(Lsn(lsn)) = Lsn::parse(&position.0) else {
            tracing::error!(%position, "a position that is none was to be acknowledged");
            return;
        };
        if self.0.committed.fetch_max(lsn, Ordering::AcqRel) < lsn {
            self.0.woken.notify_one();
        }
    }
}

/// Writes Standby Status Updates until the connection is gone.
pub(super) async fn run(shared: Arc<Shared>, mut writer: impl AsyncWrite + Unpin) {
    let (mut told, mut told_at) = (u64::MAX, Instant::now());
    loop {
        let committed = shared.committed.load(Ordering::Acquire);
        let answer = shared.answer.swap(false, Ordering::AcqRel);
        let now = Instant::now();
        let due = told_at + if committed == told { ALIVE } else { GATHER };
        if answer || due <= now || told == u64::MAX {
            let ask = shared.ask.swap(false, Ordering::AcqRel);
            // The reader sees a broken connection too, and reports it.
            if writer.write_all(&update(committed, ask)).await.is_err()
                || writer.flush().await.is_err()
            {
                return;
            }
            (told, told_at) = (committed, now);
            continue;
        }
        tokio::select! {
            () = shared.woken.notified() => {}
            () = sleep_until(due) => {}
        }
    }
}

/// A Standby Status Update in its CopyData frame. Written, flushed and applied are one to us:
/// committed in Kafka. Zero says nothing, and the slot stays where it is.
fn update(committed: u64, ask: bool) -> [u8; 39] {
    let unix_us = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_micros() as i64);
    let mut frame = [0; 39];
    frame[0] = b'd';
    frame[1..5].copy_from_slice(&38_u32.to_be_bytes());
    frame[5] = b'r';
    for field in 0..3 {
        frame[6 + field * 8..14 + field * 8].copy_from_slice(&committed.to_be_bytes());
    }
    frame[30..38].copy_from_slice(&(unix_us - EPOCH_US).to_be_bytes());
    frame[38] = ask.into();
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test(start_paused = true)]
    async fn acknowledgements_grow_and_are_told() {
        let shared = Arc::new(Shared::default());
        let (mut server, ours) = tokio::io::duplex(4096);
        let task = tokio::spawn(run(shared.clone(), ours));
        let mut frame = [0; 39];
        let mut heard = async || {
            server.read_exact(&mut frame).await.unwrap();
            assert_eq!(frame[..6], [b'd', 0, 0, 0, 38, b'r']);
            (
                u64::from_be_bytes(frame[14..22].try_into().unwrap()),
                frame[38],
            )
        };
        assert_eq!(heard().await, (0, 0));
        let ours = Acknowledger(shared.clone());
        ours.acknowledge(&Position("0/10".into()));
        ours.acknowledge(&Position("0/8".into()));
        assert_eq!(heard().await, (16, 0));
        let before = Instant::now();
        assert_eq!(heard().await, (16, 0));
        assert_eq!(before.elapsed(), ALIVE);
        shared.ask();
        assert_eq!(heard().await, (16, 1));
        task.abort();
    }
}
