//! Servers that one test may kill: with data, ports and processes of their own.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Servers;

/// Private servers of some names; wiped when dropped.
pub struct Private {
    script: String,
    names: Vec<&'static str>,
    data: PathBuf,
    ports: Vec<(String, u16)>,
}

impl Private {
    /// Starts servers of these names (`postgres15`, `kafka`, `registry`) beside the shared ones.
    ///
    /// # Panics
    /// Where they do not start.
    pub async fn start(names: &[&'static str]) -> Private {
        let script = std::env::var("ONRAMP_TEST_SERVICES")
            .expect("ONRAMP_TEST_SERVICES says where the script is: see Servers::find");
        let nanos = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("the clock is past 1970")
            .as_nanos();
        // Where another account gets too: PostgreSQL does not run as root.
        let data = PathBuf::from(format!("/tmp/onramp-p{:x}", nanos & 0xffff_ffff_ffff));
        let mut ports = Vec::new();
        for name in names {
            ports.push((format!("ONRAMP_PORT_{}", name.to_uppercase()), free_port()));
            if *name == "kafka" {
                ports.push(("ONRAMP_PORT_KAFKA_CONTROLLER".into(), free_port()));
            }
        }
        let private = Private {
            script,
            names: names.to_vec(),
            data,
            ports,
        };
        for name in names {
            private.run("start", name).await;
        }
        private
    }

    /// The shared servers, with these in place of those of the same names.
    pub fn servers(&self) -> Servers {
        let mut servers = Servers::find();
        for (name, port) in &self.ports {
            match name.as_str() {
                "ONRAMP_PORT_POSTGRES15" => {
                    servers.postgres =
                        format!("postgres://postgres:onramp@127.0.0.1:{port}/postgres");
                }
                "ONRAMP_PORT_KAFKA" => servers.kafka = format!("127.0.0.1:{port}"),
                "ONRAMP_PORT_REGISTRY" => servers.registry = format!("http://127.0.0.1:{port}"),
                _ => {}
            }
        }
        servers
    }

    /// The folder of their data.
    pub fn data(&self) -> &std::path::Path {
        &self.data
    }

    /// `start`, `stop` or `kill` of one of them.
    ///
    /// # Panics
    /// Where the script fails.
    pub async fn run(&self, what: &str, name: &str) {
        let mut command = self.command(what, name);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("no panic")
            .expect("the script can be run");
        assert!(
            output.status.success(),
            "{what} {name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn command(&self, what: &str, name: &str) -> Command {
        let mut command = Command::new(&self.script);
        command
            .args([what, name])
            .env("ONRAMP_SERVICES_DATA", &self.data)
            .env_remove("ONRAMP_KAFKA_BROKERS")
            .stdin(Stdio::null());
        for (name, port) in &self.ports {
            command.env(name, port.to_string());
        }
        command
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = self.command("wipe", name).output();
        }
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// One below those that the kernel gives to connections, since a server that is killed has to find
/// it free when it comes back.
fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 600) as u16 * 20;
    for _ in 0..1000 {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
