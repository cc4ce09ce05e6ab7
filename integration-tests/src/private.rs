//! Servers that one test may kill: with data, ports and processes of their own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Ports, Servers};

/// Private servers of some names; wiped when dropped.
pub struct Private {
    script: String,
    names: Vec<&'static str>,
    data: PathBuf,
    ports: Vec<(String, u16)>,
    /// Nobody else is given them, also while a server is down.
    _claims: Vec<Ports>,
    brokers: u16,
    /// Further lines of the brokers' properties.
    properties: String,
}

/// How many brokers a cluster has.
const CLUSTER: u16 = 3;

impl Private {
    /// Starts servers of these names (`postgres15`, `postgres18`, `kafka`, `registry`) beside the shared ones.
    ///
    /// # Panics
    /// Where they do not start.
    pub async fn start(names: &[&'static str]) -> Private {
        Private::make(names, 1, |_| String::new()).await
    }

    /// Starts a cluster of three small brokers: `kafka-1`, `kafka-2` and `kafka-3`.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn cluster() -> Private {
        Private::make(&["kafka"], CLUSTER, |_| String::new()).await
    }

    /// Starts one broker with further properties, which are told the first of two free ports.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn broker(properties: impl FnOnce(u16) -> String) -> Private {
        Private::make(&["kafka"], 1, properties).await
    }

    async fn make(
        names: &[&'static str],
        brokers: u16,
        properties: impl FnOnce(u16) -> String,
    ) -> Private {
        let script = std::env::var("ONRAMP_TEST_SERVICES")
            .expect("ONRAMP_TEST_SERVICES says where the script is: see Servers::find");
        let data = data_folder();
        let (mut ports, mut claims) = (Vec::new(), Vec::new());
        let mut claim = |count| {
            let ports = Ports::claim(count);
            let first = ports.first();
            claims.push(ports);
            first
        };
        for name in names {
            if *name == "kafka" {
                // The brokers', then their controllers'.
                let first = claim(2 * brokers);
                ports.push(("ONRAMP_PORT_KAFKA".into(), first));
                ports.push(("ONRAMP_PORT_KAFKA_CONTROLLER".into(), first + brokers));
            } else {
                let port = claim(1);
                ports.push((format!("ONRAMP_PORT_{}", name.to_uppercase()), port));
            }
        }
        let properties = properties(claim(2));
        let private = Private {
            script,
            names: names.to_vec(),
            data,
            ports,
            _claims: claims,
            brokers,
            properties,
        };
        for name in names {
            private.run("start", name).await;
        }
        private
    }

    /// A standby of the PostgreSQL here, made from a copy of its data, slots included; the two are
    /// started together and the one here loses its connections.
    ///
    /// # Panics
    /// Where the data cannot be copied, or a server does not start.
    pub async fn standby(&self) -> Private {
        const NAME: &str = "postgres15";
        let port = |ports: &[(String, u16)]| {
            let found = ports.iter().find(|(n, _)| n == "ONRAMP_PORT_POSTGRES15");
            found.map(|(_, port)| *port)
        };
        let primary = port(&self.ports).expect("a PostgreSQL is among these servers");
        let own = Ports::claim(1);
        let standby = Private {
            script: self.script.clone(),
            names: vec![NAME],
            data: data_folder(),
            ports: vec![("ONRAMP_PORT_POSTGRES15".into(), own.first())],
            _claims: vec![own],
            brokers: 1,
            properties: String::new(),
        };
        self.run("stop", NAME).await;
        std::fs::create_dir_all(&standby.data).expect("the temporary folder is writable");
        let copied = Command::new("cp")
            .arg("-a")
            .args([self.data.join(NAME), standby.data.join(NAME)])
            .status();
        assert!(copied.is_ok_and(|s| s.success()), "the data is copied");
        let folder = standby.data.join(NAME);
        let follow = format!(
            "\nprimary_conninfo = 'host=127.0.0.1 port={primary} user=postgres password=onramp'\n"
        );
        std::fs::write(folder.join("standby.signal"), "").expect("the copy is writable");
        std::fs::OpenOptions::new()
            .append(true)
            .open(folder.join("postgresql.conf"))
            .and_then(|mut file| std::io::Write::write_all(&mut file, follow.as_bytes()))
            .expect("the copy is writable");
        self.run("start", NAME).await;
        standby.run("start", NAME).await;
        standby
    }

    /// Copies the data of the PostgreSQL here, which loses its connections.
    ///
    /// # Panics
    /// Where the data cannot be copied, or the server does not start.
    pub async fn back_up(&self) {
        self.run("stop", "postgres15").await;
        let copied = Command::new("cp")
            .arg("-a")
            .args([self.data.join("postgres15"), self.data.join("backup")])
            .status();
        assert!(copied.is_ok_and(|s| s.success()), "the data is copied");
        self.run("start", "postgres15").await;
    }

    /// Puts that copy in place of the data, as somebody does who has nothing else.
    ///
    /// # Panics
    /// Where there is none, or the server does not start.
    pub async fn restore(&self) {
        self.run("stop", "postgres15").await;
        let (data, backup) = (self.data.join("postgres15"), self.data.join("backup"));
        std::fs::remove_dir_all(&data).expect("the data can be removed");
        std::fs::rename(backup, data).expect("there is a copy");
        self.run("start", "postgres15").await;
    }

    /// The shared servers, with these in place of those of the same names.
    pub fn servers(&self) -> Servers {
        let mut servers = Servers::find();
        for (name, port) in &self.ports {
            match name.as_str() {
                "ONRAMP_PORT_POSTGRES15" | "ONRAMP_PORT_POSTGRES18" => {
                    servers.postgres =
                        format!("postgres://postgres:onramp@127.0.0.1:{port}/postgres");
                }
                "ONRAMP_PORT_KAFKA" => {
                    let all = (*port..port + self.brokers).map(|p| format!("127.0.0.1:{p}"));
                    servers.kafka = all.collect::<Vec<_>>().join(",");
                }
                "ONRAMP_PORT_REGISTRY" => servers.registry = format!("http://127.0.0.1:{port}"),
                _ => {}
            }
        }
        servers
    }

    /// The name of the PostgreSQL among them.
    ///
    /// # Panics
    /// Where there is none.
    pub fn postgres(&self) -> &'static str {
        let mut names = self.names.iter();
        let found = names.find(|name| name.starts_with("postgres"));
        found.expect("a PostgreSQL is among these servers")
    }

    /// The folder of their data.
    pub fn data(&self) -> &std::path::Path {
        &self.data
    }

    /// `start`, `stop` or `kill` of one of them, or of one broker of a cluster.
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
            .env("ONRAMP_KAFKA_BROKERS", self.brokers.to_string())
            .env("ONRAMP_KAFKA_PROPERTIES", &self.properties)
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

/// A new folder where another account gets too: PostgreSQL does not run as root.
fn data_folder() -> PathBuf {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_nanos();
    PathBuf::from(format!("/tmp/onramp-p{:x}", nanos & 0xffff_ffff_ffff))
}
