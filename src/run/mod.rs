//! `onramp run`: attempts, one after the other, until it is told to stop or trying again cannot
//! help.
//!
//! An attempt is everything between connecting and the first failure. It begins at committed
//! progress and shares nothing with the one before: after any doubt the producer is discarded and
//! the log is read again from what is known to be published. So it is where a product joins that
//! was left out at first: what streams is never changed under way.

pub(crate) mod attempt;
pub(crate) mod contracts;
pub(crate) mod history;
mod newcomers;
mod pending;
pub(crate) mod products;
pub(crate) mod protection;
mod pump;
mod recover;
mod release;
pub(crate) mod requests;
pub(crate) mod settings;
pub(crate) mod sources;

use std::time::{Duration, Instant};

use onramp_connector::{Connector, Instance};
use onramp_finding::Failure;
use onramp_finding::codes::running;
use onramp_language::Gateway;
use onramp_postgres::Postgres;
use onramp_publisher::Kafka;
use onramp_publisher::progress::{self, Progress};
use tokio::sync::watch;

use self::attempt::Ended;
use self::history::command::Commands;
use crate::admin;
use crate::cli::one_line;
use crate::health::{self, Board, Phase};
pub(crate) use attempt::blocking;
pub(crate) use contracts::level;
pub(crate) use recover::{Consent, recover};
pub(crate) use release::release;

/// The pauses between attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// An attempt that streamed for this long was a good one: the next pause is short again.
const GOOD_ATTEMPT: Duration = Duration::from_secs(60);

/// Runs the gateway until SIGTERM or SIGINT, or until it must stop. It does what the plan of the hash
/// says, where one is given, or nothing.
pub(crate) fn run(gateway: Gateway, plan: Option<String>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("onramp")
        .enable_all()
        .build()
        .map_err(|e| Failure::internal(&running::INTERNAL, format!("no runtime: {e}")))?;
    let ended = runtime.block_on(supervise(gateway, plan));
    // Told to stop in the middle of a start, a call to the brokers may still wait for its answer.
    runtime.shutdown_background();
    ended
}

/// The source of a gateway, for whoever looks at it and streams nothing. Nothing is connected yet.
pub(crate) fn connector(gateway: &Gateway) -> Box<dyn Connector> {
    Box::new(Postgres::new(settings::source(gateway, &instance().0)))
}

/// What progress in Kafka says, without fencing anybody; None where there is none.
pub(crate) async fn progress(gateway: &Gateway) -> Result<Option<Progress>, Failure> {
    let (settings, name) = (settings::kafka(gateway)?, gateway.name.value.clone());
    attempt::blocking(move || progress::read(&Kafka::connect(settings)?, &name)).await
}

async fn supervise(gateway: Gateway, plan: Option<String>) -> Result<(), Failure> {
    let board = Board::install()?;
    if let Some(listen) = gateway.health {
        health::serve(board.clone(), listen).await?;
    }
    let instance = instance();
    let commands = Commands::default();
    if let Some(settings) = &gateway.admin {
        let names = settings::source(&gateway, &instance.0);
        let desk = admin::Desk {
            gateway: gateway.clone(),
            instance: instance.0.to_string(),
            board: board.clone(),
            commands: commands.clone(),
            connector: std::sync::Arc::new(Postgres::new(names)),
        };
        admin::serve(settings, desk).await?;
    }
    let mut stop = told_to_stop()?;
    let context = std::sync::Arc::new(attempt::Context {
        instance,
        gateway,
        plan,
        board: board.clone(),
        commands,
    });
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        let ended = on_a_thread_of_its_own(context.clone(), stop.clone()).await;
        let failure = match ended {
            Ok(Ended::Stopped) => return Ok(()),
            Ok(Ended::Anew) => {
                pause = FIRST_PAUSE;
                continue;
            }
            Err(failure) => failure,
        };
        metrics::counter!("onramp_errors_total", "kind" => failure.kind.word()).increment(1);
        if !failure.retry {
            tracing::error!(kind = failure.kind.word(), "{}", one_line(&failure));
            return Err(failure);
        }
        if began.elapsed() >= GOOD_ATTEMPT {
            pause = FIRST_PAUSE;
        }
        board.set(Phase::Retrying(one_line(&failure)));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Reading and encoding share one thread with a runtime of its own: the log's connection is
/// polled by nobody else, and no lock or wake-up stands between a read and the encoding.
async fn on_a_thread_of_its_own(
    context: std::sync::Arc<attempt::Context>,
    stop: watch::Receiver<bool>,
) -> Result<Ended, Failure> {
    let (tell, ended) = tokio::sync::oneshot::channel();
    let internal =
        |e: std::io::Error| Failure::internal(&running::INTERNAL, format!("no thread: {e}"));
    std::thread::Builder::new()
        .name("source".into())
        .spawn(move || {
            let outcome = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(internal)
                .and_then(|runtime| {
                    let ended = runtime.block_on(attempt::attempt(&context, stop));
                    // A call that still waits for an answer is one whose attempt was told to stop:
                    // every other end has waited for it.
                    runtime.shutdown_background();
                    ended
                });
            let _ = tell.send(outcome);
        })
        .map_err(internal)?;
    ended.await.unwrap_or_else(|_| {
        Err(Failure::internal(
            &running::INTERNAL,
            "the source's thread died",
        ))
    })
}

/// Becomes true at the first SIGTERM or SIGINT.
fn told_to_stop() -> Result<watch::Receiver<bool>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let internal = |e: std::io::Error| {
        Failure::internal(&running::INTERNAL, format!("no signal handler: {e}"))
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(internal)?;
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = tell.send(true);
        tell.closed().await;
    });
    Ok(told)
}

/// A name that no other process has: the host's, the process's number, and when it began.
pub(crate) fn instance() -> Instance {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(20)
        .collect();
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos());
    Instance(
        format!(
            "{host}-{}-{:x}",
            std::process::id(),
            nanos & 0xffff_ffff_ffff
        )
        .into(),
    )
}
