//! A server of a test's own, whose settings it may change and which nobody else writes to.

use std::path::PathBuf;
use std::process::Command;

use tokio_postgres::Config;

use crate::own::Port;

/// Wiped when dropped.
pub(crate) struct Private {
    /// `postgres15`.
    name: String,
    data: PathBuf,
    port: Port,
}

impl Private {
    /// Starts one like the shared server of this name, with these settings.
    pub(crate) async fn start(server: &str, settings: &[&str]) -> Private {
        let nanos = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_nanos();
        let private = Private {
            name: server.to_lowercase(),
            // Where another account gets too: PostgreSQL does not run as root.
            data: PathBuf::from(format!("/tmp/onramp-c{:x}", nanos & 0xffff_ffff_ffff)),
            port: Port::claim(),
        };
        private.script("start");
        let sql = crate::database::connect(&private.config()).await;
        for setting in settings {
            let set = format!("ALTER SYSTEM SET {setting}");
            sql.batch_execute(&set).await.unwrap();
        }
        private.script("stop");
        private.later_numbers();
        private.script("start");
        private
    }

    pub(crate) fn config(&self) -> Config {
        let url = format!(
            "postgres://postgres:onramp@127.0.0.1:{}/postgres",
            self.port.number
        );
        url.parse().unwrap()
    }

    /// Lets transactions' numbers come round five times before the first one.
    fn later_numbers(&self) {
        let bin = std::env::var(format!("ONRAMP_TEST_{}_BIN", self.name.to_uppercase())).unwrap();
        let folder = self.data.join(&self.name);
        let owner = Command::new("stat")
            .args(["-c", "%U"])
            .arg(&folder)
            .output()
            .unwrap();
        let owner = String::from_utf8(owner.stdout).unwrap();
        let reset = format!("{bin}/pg_resetwal");
        let mut command = match as_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", owner.trim(), "--", &reset]);
                command
            }
            false => Command::new(&reset),
        };
        run(command.args(["-e", "5", "-D"]).arg(folder).current_dir("/"));
    }

    fn script(&self, what: &str) {
        let script = std::env::var("ONRAMP_TEST_SERVICES").unwrap_or_else(|_| {
            let here = env!("CARGO_MANIFEST_DIR");
            format!("{here}/../../integration-tests/services/services")
        });
        let port = format!("ONRAMP_PORT_{}", self.name.to_uppercase());
        run(Command::new(script)
            .args([what, &self.name])
            .env("ONRAMP_SERVICES_DATA", &self.data)
            .env(port, self.port.number.to_string()));
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.script("wipe");
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

fn as_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}
