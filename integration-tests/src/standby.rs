//! A standby that confirms each commit, and takes its time: a receiver of the log that is stopped
//! and let go on again and again.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::Private;

/// The name that it goes by in `synchronous_standby_names`.
pub const NAME: &str = "slow";
/// How long it stands still, and then goes on.
const STILL: Duration = Duration::from_millis(50);
const MOVES: Duration = Duration::from_millis(20);

/// The receiver; ended when dropped.
pub struct Standby {
    receiver: Child,
    folder: std::path::PathBuf,
    over: Arc<AtomicBool>,
    throttle: Option<std::thread::JoinHandle<()>>,
}

impl Standby {
    /// Starts one of a private server.
    ///
    /// # Panics
    /// Where there is no receiver.
    pub fn start(private: &Private) -> Standby {
        let bin = std::env::var("ONRAMP_TEST_POSTGRES15_BIN").expect("see Servers::find");
        let folder = private.data().join("received");
        std::fs::create_dir_all(&folder).expect("the data's folder is writable");
        let url = private.servers().postgres;
        let receiver = Command::new(format!("{bin}/pg_receivewal"))
            .args(["--synchronous", "--no-loop", "-D"])
            .arg(&folder)
            .args(["-d", &format!("{url}?application_name={NAME}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pg_receivewal can be run");
        let over = Arc::new(AtomicBool::new(false));
        let (pid, stop) = (receiver.id().to_string(), over.clone());
        let throttle = std::thread::spawn(move || {
            let signal = |name: &str| {
                let _ = Command::new("kill")
                    .args([name, &pid])
                    .stderr(Stdio::null())
                    .status();
            };
            // Not waiting for anything: this is how long a commit is to take.
            while !stop.load(Ordering::Relaxed) {
                signal("-STOP");
                std::thread::sleep(STILL);
                signal("-CONT");
                std::thread::sleep(MOVES);
            }
        });
        Standby {
            receiver,
            folder,
            over,
            throttle: Some(throttle),
        }
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(throttle) = self.throttle.take() {
            let _ = throttle.join();
        }
        let _ = self.receiver.kill();
        let _ = self.receiver.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
