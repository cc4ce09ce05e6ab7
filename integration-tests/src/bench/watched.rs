//! A gateway that is watched from outside: its probes, its counters, and what the kernel says.

use std::time::{Duration, Instant};

use onramp_integration_tests::Gateway;

use super::stage::Stage;

/// The kernel tells CPU time in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running gateway.
pub(crate) struct Watched(Gateway);

impl Watched {
    /// Starts one on the files that were prepared last, and waits until it streams; gives how long
    /// that took.
    pub(crate) async fn start(stage: &Stage) -> (Watched, Duration) {
        let began = Instant::now();
        let watched = Watched(Gateway::start(&stage.scenario));
        loop {
            let answer = watched.0.get("/ready").unwrap_or_default();
            if answer.starts_with("HTTP/1.1 200") && answer.contains("streaming") {
                return (watched, began.elapsed());
            }
            watched.alive_since(began, "streams");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn alive_since(&self, began: Instant, what: &str) {
        let alive = self.status("State").is_some_and(|s| !s.starts_with('Z'));
        let patient = began.elapsed() < Duration::from_secs(900);
        assert!(
            alive && patient,
            "no gateway that {what}:\n{}",
            self.0.output()
        );
    }

    /// Waits until so many rows are committed in Kafka. It seldom asks before the end is near:
    /// each answer is work of the gateway too.
    pub(crate) async fn committed(&self, rows: u64) {
        let began = Instant::now();
        loop {
            let done = self.counter("onramp_rows_total");
            if done >= rows {
                return;
            }
            self.alive_since(began, "publishes");
            let pause = if done < rows / 10 * 9 { 200 } else { 20 };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Waits until one of its counters is so high. It asks seldom: each answer is work of the gateway too.
    pub(crate) async fn reaches(&self, counter: &str, least: u64) {
        let began = Instant::now();
        while self.counter(counter) < least {
            self.alive_since(began, "publishes");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// CPU time so far, in seconds, of the thread that reads the log and translates it.
    pub(crate) fn source_seconds(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.0.pid()));
        let threads = threads.expect("the gateway runs").flatten();
        let of = |file: &str, thread: &std::path::Path| std::fs::read_to_string(thread.join(file));
        // The first number: nanoseconds on a processor. One that has just ended has none.
        let nanos = |thread: std::path::PathBuf| {
            let source = of("comm", &thread).is_ok_and(|name| name.trim() == "source");
            let text = source.then(|| of("schedstat", &thread).ok()).flatten()?;
            text.split(' ').next()?.parse::<f64>().ok()
        };
        threads.filter_map(|t| nanos(t.path())).sum::<f64>() / 1e9
    }

    /// Waits until the rows that were there already of so many products are published.
    pub(crate) async fn history(&self, products: usize) {
        let began = Instant::now();
        loop {
            let text = self.0.get("/metrics").unwrap_or_default();
            let runs = text
                .lines()
                .filter(|line| line.starts_with("onramp_history_running{"));
            let done = runs.filter(|line| line.ends_with(" 0")).count();
            if done >= products {
                return;
            }
            self.alive_since(began, "publishes");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// One of its counters; 0 where it is not yet shown.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let text = self.0.get("/metrics").unwrap_or_default();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|v| v.trim().parse().ok()).unwrap_or(0)
    }

    /// CPU time so far in seconds, the kernel's share on its behalf included.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.pid()));
        let stat = stat.expect("the gateway runs");
        // The name in brackets may hold anything; what follows the last one is numbers.
        let rest = stat.rsplit_once(')').expect("a name in brackets").1;
        let field = |n: usize| {
            let text = rest.split_whitespace().nth(n).expect("the kernel's format");
            text.parse::<f64>().expect("a number")
        };
        (field(11) + field(12)) / TICKS_PER_SECOND
    }

    /// The most memory that it ever had, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.mib("VmHWM")
    }

    /// The memory that it has, in MiB.
    pub(crate) fn mib(&self, what: &str) -> f64 {
        let line = self.status(what).expect("the gateway runs");
        let kib: f64 = line
            .split_whitespace()
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number of KiB");
        kib / 1024.0
    }

    fn status(&self, what: &str) -> Option<String> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0.pid())).ok()?;
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == what).then(|| value.trim().to_owned())
        })
    }

    /// Ends it as an operator does.
    pub(crate) async fn stop(self) {
        let status = self.0.stop().await;
        assert!(status.success(), "the gateway drains");
    }
}
