//! Where the servers are: `make test` starts them and says so in the environment.

/// Addresses of the servers that run.
#[derive(Debug, Clone)]
pub struct Servers {
    /// PostgreSQL 15, as superuser, database `postgres`.
    pub postgres: String,
    /// A broker.
    pub kafka: String,
    /// The registry's URL.
    pub registry: String,
}

impl Servers {
    /// Reads the environment.
    ///
    /// # Panics
    /// Where a variable is missing: a test without its server proves nothing, so it fails.
    pub fn find() -> Servers {
        let variable = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!("{name} is not set: run `make test`, or start the servers and `eval \"$(integration-tests/services/services env)\"`")
            })
        };
        Servers {
            postgres: variable("ONRAMP_TEST_POSTGRES15_URL"),
            kafka: variable("ONRAMP_TEST_KAFKA"),
            registry: variable("ONRAMP_TEST_REGISTRY"),
        }
    }

    /// The same with the newest PostgreSQL that is tested.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn newest() -> Servers {
        let postgres = std::env::var("ONRAMP_TEST_POSTGRES18_URL")
            .expect("ONRAMP_TEST_POSTGRES18_URL is set as the others are: see Servers::find");
        Servers {
            postgres,
            ..Servers::find()
        }
    }

    /// The same server with another database.
    pub fn database(&self, name: &str) -> String {
        let (base, _) = self
            .postgres
            .rsplit_once('/')
            .expect("a postgres URL ends in a database");
        format!("{base}/{name}")
    }
}
