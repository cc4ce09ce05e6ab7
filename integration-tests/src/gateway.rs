//! A gateway as its own process, as an operator has it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::{LEAST_PATIENCE, Ports, Scenario, until};

/// A running gateway; killed when dropped.
pub struct Gateway {
    child: Child,
    ports: Ports,
    log: PathBuf,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Gateway {
    /// Starts one on a scenario's files; returns at once.
    ///
    /// # Panics
    /// Where the binary is not built.
    pub fn start(scenario: &Scenario) -> Gateway {
        Gateway::start_with(scenario, |_| {})
    }

    /// The same with more arguments, or another environment.
    ///
    /// # Panics
    /// Where the binary is not built.
    pub fn start_with(scenario: &Scenario, change: impl FnOnce(&mut Command)) -> Gateway {
        let ports = Ports::claim(1);
        let port = ports.first();
        // A file of its own, though an earlier one may have had the same port.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let log = scenario.folder.join(format!("gateway-{number}.log"));
        let out = File::create(&log).expect("the folder is writable");
        let mut command = Command::new(binary());
        command
            .args(["run", "--config"])
            .arg(scenario.config())
            .args(["--set", &format!("health.listen=127.0.0.1:{port}")])
            .env("TEST_DB_PASSWORD", "onramp")
            .env("TEST_PII_KEY", "a key for tests alone")
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a file's handle can be had twice"))
            .stderr(out);
        change(&mut command);
        let child = command
            .spawn()
            .expect("the binary onramp is built (`cargo build`)");
        Gateway { child, ports, log }
    }

    /// Starts one and waits until it streams; rows that were there already may still be read.
    pub async fn reading(scenario: &Scenario) -> Gateway {
        let mut gateway = Gateway::start(scenario);
        gateway.wait_ready("streaming").await;
        gateway
    }

    /// Starts one and waits until it streams, and until rows that were there already are published.
    pub async fn streaming(scenario: &Scenario) -> Gateway {
        let mut gateway = Gateway::reading(scenario).await;
        gateway.wait_history().await;
        gateway
    }

    /// Waits until rows that were there already are published.
    ///
    /// # Panics
    /// Where it ends instead, or takes too long.
    pub async fn wait_history(&mut self) {
        let began = Instant::now();
        while began.elapsed() < LEAST_PATIENCE {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the gateway ended with {status}:\n{}", self.output());
            }
            let metrics = self.get("/metrics").unwrap_or_default();
            let mut runs = metrics
                .lines()
                .filter(|line| line.starts_with("onramp_history_running{"));
            let begun = runs.clone().next().is_some();
            if begun && runs.all(|line| line.ends_with(" 0")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("history is not published:\n{}", self.output());
    }

    /// Waits until /ready answers 200 with this word.
    pub async fn wait_ready(&mut self, word: &str) {
        let mut last = String::new();
        let began = Instant::now();
        while began.elapsed() < LEAST_PATIENCE {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the gateway ended with {status}:\n{}", self.output());
            }
            last = self.get("/ready").unwrap_or_default();
            if last.starts_with("HTTP/1.1 200") && last.contains(word) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not ready ({word}), but {last}\n{}", self.output());
    }

    /// An answer of the health server, head and body.
    pub fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports.first()))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Waits until /ready says this, with whatever status.
    ///
    /// # Panics
    /// Where it ends instead, or says something else for too long.
    pub async fn wait_says(&mut self, words: &str) {
        let mut last = String::new();
        let began = Instant::now();
        while began.elapsed() < LEAST_PATIENCE {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the gateway ended with {status}:\n{}", self.output());
            }
            last = self.get("/ready").unwrap_or_default();
            if last.contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("/ready never said {words}, but {last}\n{}", self.output());
    }

    /// Waits for the end of a gateway that must not go on: its exit code and the finding's code.
    ///
    /// # Panics
    /// Where it goes on, or ends otherwise.
    pub async fn refuses(&mut self, exit: i32, code: &str) -> String {
        let mut status = None;
        let began = Instant::now();
        while began.elapsed() < LEAST_PATIENCE {
            status = self.child.try_wait().ok().flatten();
            if status.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let output = self.output();
        let Some(status) = status else {
            let ready = self.get("/ready").unwrap_or_default();
            panic!("goes on where {code} was to stop it: {ready}\n{output}");
        };
        assert_eq!(status.code(), Some(exit), "{code} was expected:\n{output}");
        assert!(
            output.contains(&format!("[{code}]")),
            "{code} was expected:\n{output}"
        );
        output
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// A value of /metrics, by the beginning of its line.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let answer = self.get("/metrics").ok()?;
        let line = answer.lines().find(|l| l.starts_with(name))?;
        line.rsplit(' ').next()?.trim().parse().ok()
    }

    /// The most memory that it ever had resident, in bytes.
    ///
    /// # Panics
    /// Where the process is gone.
    pub fn peak_rss_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("the process runs");
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.split_whitespace().next());
        kib.and_then(|n| n.parse::<u64>().ok())
            .expect("the kernel tells VmHWM in kB")
            * 1024
    }

    /// Everything it has written so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and gone.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name, e.g. `TERM`, `STOP`.
    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
    }

    /// SIGTERM, and waits for its end.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        let child = &mut self.child;
        until("the gateway to end", LEAST_PATIENCE, async || {
            status = child.try_wait().ok().flatten();
            status.is_some()
        })
        .await;
        status.expect("waited for")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary beside the tests' own, or the one that the environment names.
///
/// # Panics
/// Where a process does not know its own path.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("ONRAMP_TEST_BINARY") {
        return path.into();
    }
    let me = std::env::current_exe().expect("a process knows its own path");
    let mut folder = me.parent().expect("a file stands in a folder").to_owned();
    if folder.ends_with("deps") {
        folder.pop();
    }
    folder.join("onramp")
}
