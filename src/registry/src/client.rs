//! A client of the API that schema registries document: Confluent's, Karapace, Apicurio's
//! compatibility path.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use onramp_finding::codes::registry as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::Level;
use crate::answer::{self, Answer};

/// A schema's number in the registry, which events carry.
pub type SchemaId = u32;

/// Reads a password; the error says where it was looked for, and nothing of what was found.
pub type ReadPassword = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// How to reach a registry.
#[derive(Clone)]
pub struct RegistryOptions {
    /// Where it is, its path included, without a user.
    pub url: String,
    /// The user, for basic authentication.
    pub username: Option<String>,
    /// The password, read anew for each request, so that it can be rotated.
    pub password: Option<ReadPassword>,
    /// The certificates to trust, PEM; without it the system's.
    pub ca: Option<PathBuf>,
    /// For a connection to stand.
    pub connect_timeout: Duration,
    /// For a request and its whole answer.
    pub timeout: Duration,
    /// An answer beyond it is an error.
    pub max_answer_bytes: usize,
}

impl RegistryOptions {
    /// The usual bounds: 5 s to connect, 20 s in all, answers of at most 8 MiB.
    pub fn new(url: impl Into<String>) -> Self {
        RegistryOptions {
            url: url.into(),
            username: None,
            password: None,
            ca: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(20),
            max_answer_bytes: 8 << 20,
        }
    }
}

impl std::fmt::Debug for RegistryOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the address, which may hold a secret by mistake, nor the password's reader.
        f.debug_struct("RegistryOptions")
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}

/// A schema that a subject has.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    /// The subject's version, from 1.
    pub version: u32,
    /// The number that events carry.
    pub id: SchemaId,
    /// The schema's text; Avro unless [`Registered::kind`] says otherwise.
    pub schema: String,
    /// `AVRO`, `JSON` or `PROTOBUF`.
    pub kind: String,
    /// It refers to schemas of other subjects.
    pub has_references: bool,
}

/// What the registry's own check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it would take the schema.
    pub compatible: bool,
    /// Why not, in its own words; at most ten, each at most 300 characters.
    pub messages: Vec<String>,
}

/// A registry, through its API. Cheap to clone; holds a pool of connections.
#[derive(Clone)]
pub struct RegistryClient {
    http: reqwest::Client,
    base: Url,
    options: RegistryOptions,
}

impl RegistryClient {
    /// Checks the settings; connects to nothing yet.
    ///
    /// # Errors
    /// [`Kind::Configuration`] where the address is none, or the CA file cannot be read.
    pub fn new(options: RegistryOptions) -> Result<Self, Failure> {
        let settings = |message: String| {
            let place = Place::Setting("registry".to_owned());
            let finding = Finding::error(&codes::REGISTRY_SETTINGS, place, message)
                .because(codes::REGISTRY_SETTINGS.reason)
                .remedy(codes::REGISTRY_SETTINGS.remedy);
            Failure::stop(Kind::Configuration, finding)
        };
        // The address is never printed: a password may stand in it by mistake.
        let base = Url::parse(&options.url)
            .map_err(|why| settings(format!("registry.url is no address: {why}")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            let message = "registry.url is neither an http nor an https address".to_owned();
            return Err(settings(message));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(settings(
                "registry.url holds a user or a password".to_owned(),
            ));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(settings("registry.url holds a query".to_owned()));
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            // An answer from somewhere else is not this registry's, and a redirected POST
            // becomes a GET.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if base.scheme() == "https" {
            let tls = crate::tls::configuration(options.ca.as_deref()).map_err(settings)?;
            builder = builder.tls_backend_preconfigured(tls);
        } else {
            // reqwest would otherwise look for a TLS provider that nobody installed.
            let tls = crate::tls::without_roots().map_err(settings)?;
            builder = builder.tls_backend_preconfigured(tls);
        }
        let http = builder
            .build()
            .map_err(|_| settings("no http client can be made with these settings".to_owned()))?;
        Ok(RegistryClient {
            http,
            base,
            options,
        })
    }

    /// The subject's versions in ascending order; none where there is no such subject.
    pub async fn versions(&self, subject: &str) -> Result<Vec<u32>, Failure> {
        let answer = self
            .call(Method::GET, &["subjects", subject, "versions"], None)
            .await?;
        if answer.is_missing() {
            return Ok(Vec::new());
        }
        let value = answer.success(subject)?;
        let mut versions = value
            .as_array()
            .and_then(|listed| {
                listed
                    .iter()
                    .map(answer::number)
                    .collect::<Option<Vec<_>>>()
            })
            .ok_or_else(|| answer::odd(subject, "the list of versions is no list of numbers"))?;
        versions.sort_unstable();
        Ok(versions)
    }

    /// One version of a subject; none where it is gone.
    pub async fn version(
        &self,
        subject: &str,
        version: u32,
    ) -> Result<Option<Registered>, Failure> {
        let path = ["subjects", subject, "versions", &version.to_string()];
        let answer = self.call(Method::GET, &path, None).await?;
        answer.registered(subject)
    }

    /// The subject's version that has this very schema, if any.
    pub async fn look_up(
        &self,
        subject: &str,
        schema: &str,
    ) -> Result<Option<Registered>, Failure> {
        let body = json!({ "schema": schema });
        let answer = self
            .call(Method::POST, &["subjects", subject], Some(&body))
            .await?;
        answer.registered(subject)
    }

    /// Registers a schema, or finds it: its id either way.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<SchemaId, Failure> {
        let body = json!({ "schema": schema });
        let path = ["subjects", subject, "versions"];
        let answer = self.call(Method::POST, &path, Some(&body)).await?;
        let value = answer.success(subject)?;
        value
            .get("id")
            .and_then(answer::number)
            .ok_or_else(|| answer::odd(subject, "the answer to a registration holds no id"))
    }

    /// The level set for the subject itself; none where it follows the global one.
    pub async fn subject_level(&self, subject: &str) -> Result<Option<Level>, Failure> {
        let answer = self.call(Method::GET, &["config", subject], None).await?;
        if answer.is_missing() {
            return Ok(None);
        }
        answer.level(subject)
    }

    /// The level of subjects that have none of their own.
    pub async fn global_level(&self) -> Result<Level, Failure> {
        let answer = self.call(Method::GET, &["config"], None).await?;
        answer
            .level("")?
            .ok_or_else(|| answer::odd("", "the global configuration holds no level"))
    }

    /// Sets the subject's own level. False where the registry keeps none for a subject that has
    /// no version yet.
    pub async fn set_subject_level(&self, subject: &str, level: Level) -> Result<bool, Failure> {
        let body = json!({ "compatibility": level.word() });
        let answer = self
            .call(Method::PUT, &["config", subject], Some(&body))
            .await?;
        if answer.is_missing() {
            return Ok(false);
        }
        answer.success(subject)?;
        Ok(true)
    }

    /// The text of the schema that events with this id carry; none where there is no such id.
    pub async fn schema_by_id(&self, id: SchemaId) -> Result<Option<String>, Failure> {
        let path = ["schemas", "ids", &id.to_string()];
        let answer = self.call(Method::GET, &path, None).await?;
        if answer.is_missing() {
            return Ok(None);
        }
        let value = answer.success("")?;
        match value.get("schema").and_then(Value::as_str) {
            Some(schema) => Ok(Some(schema.to_owned())),
            None => Err(answer::odd(
                "",
                "the answer for a schema id holds no schema",
            )),
        }
    }

    /// Asks the registry whether a schema may follow one version, at the subject's own level.
    pub async fn compatible(
        &self,
        subject: &str,
        version: u32,
        schema: &str,
    ) -> Result<Verdict, Failure> {
        let version = version.to_string();
        let path = ["compatibility", "subjects", subject, "versions", &version];
        let body = json!({ "schema": schema });
        let url = self.address(&path, Some("verbose=true"))?;
        let answer = self.send(Method::POST, url, Some(&body)).await?;
        answer.verdict(subject)
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let url = self.address(path, None)?;
        self.send(method, url, body).await
    }

    fn address(&self, path: &[&str], query: Option<&str>) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| answer::odd("", "registry.url takes no path"))?
            .pop_if_empty()
            .extend(path);
        url.set_query(query);
        Ok(url)
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        const API: &str = "application/vnd.schemaregistry.v1+json";
        let mut request = self
            .http
            .request(method, url)
            .header("accept", format!("{API}, application/json; q=0.5"));
        if let Some(username) = &self.options.username {
            let password = match &self.options.password {
                Some(read) => Some(read().map_err(|why| answer::password_unread(&why))?),
                None => None,
            };
            request = request.basic_auth(username, password);
        }
        if let Some(body) = body {
            request = request.header("content-type", API).body(body.to_string());
        }
        let mut response = request.send().await.map_err(answer::transport)?;
        let status = response.status().as_u16();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(answer::transport)? {
            if text.len() + chunk.len() > self.options.max_answer_bytes {
                return Err(answer::too_large(self.options.max_answer_bytes));
            }
            text.extend_from_slice(&chunk);
        }
        Answer::read(status, &text)
    }
}
