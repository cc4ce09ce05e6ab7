//! Startup, authentication, simple commands, and the way into the stream.

use std::time::Duration;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{Header, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ServerError, Transport, WireError, tls};
use crate::target::Target;

/// How long connecting may take, authentication included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the answer to a command may take; creating nothing, they are short.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest message before the stream begins; the real ones have some hundred bytes.
const MESSAGE_MAX: i32 = 1 << 20;

/// What is asked of the server as the connection opens.
#[derive(Debug, Clone, Copy)]
enum Serving<'a> {
    /// A walsender of the database.
    Log,
    /// An ordinary session with these settings (`-c name=value …`).
    Session(&'a str),
}

/// A server process at the other end, waiting for commands.
pub(crate) struct Connection {
    transport: Transport,
    received: BytesMut,
    sending: BytesMut,
}

/// What a query brought: rows of texts.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

impl Connection {
    /// Connects for logical replication.
    pub(crate) async fn open(
        target: &Target,
        application_name: &str,
    ) -> Result<Connection, Failure> {
        Connection::connect(target, application_name, Serving::Log).await
    }

    /// Connects for ordinary statements, for whoever reads their answers off the wire himself.
    pub(crate) async fn open_session(
        target: &Target,
        application_name: &str,
        settings: &str,
    ) -> Result<(Transport, BytesMut), Failure> {
        let serving = Serving::Session(settings);
        let connection = Connection::connect(target, application_name, serving).await?;
        Ok((connection.transport, connection.received))
    }

    async fn connect(
        target: &Target,
        application_name: &str,
        serving: Serving<'_>,
    ) -> Result<Connection, Failure> {
        let config = tls::client_config(target)?;
        let password = match &target.password {
            None => None,
            Some(read) => Some(read().map_err(|reason| {
                Failure::stop(
                    Kind::Configuration,
                    Finding::error(
                        &codes::NO_PASSWORD,
                        Place::Source(format!("{}@{}", target.user, target.host)),
                        "the password cannot be read",
                    )
                    .because(reason),
                )
            })?),
        };
        let connecting = async {
            let transport = Transport::open(target, config).await?;
            let mut connection = Connection {
                transport,
                received: BytesMut::new(),
                sending: BytesMut::new(),
            };
            connection
                .start(target, application_name, password.as_deref(), serving)
                .await?;
            Ok(connection)
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(opened) => opened.map_err(|e: WireError| e.failure(target, true)),
            Err(_) => Err(timed_out().failure(target, true)),
        }
    }

    async fn start(
        &mut self,
        target: &Target,
        application_name: &str,
        password: Option<&str>,
        serving: Serving<'_>,
    ) -> Result<(), WireError> {
        let parameters = [
            match serving {
                Serving::Log => ("replication", "database"),
                Serving::Session(settings) => ("options", settings),
            },
            ("user", target.user.as_str()),
            ("database", target.database.as_str()),
            ("application_name", application_name),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO, YMD"),
            ("IntervalStyle", "postgres"),
            ("TimeZone", "UTC"),
            ("extra_float_digits", "3"),
            ("bytea_output", "hex"),
        ];
        frontend::startup_message(parameters, &mut self.sending)?;
        self.flush().await?;
        self.authenticate(&target.user, password).await?;
        loop {
            match self.message().await? {
                Message::ReadyForQuery(_) => return Ok(()),
                Message::ErrorResponse(body) => {
                    return Err(WireError::Server(ServerError::read(&body)));
                }
                Message::BackendKeyData(_)
                | Message::ParameterStatus(_)
                | Message::NoticeResponse(_) => {}
                _ => return Err(unexpected("startup")),
            }
        }
    }

    async fn authenticate(&mut self, user: &str, password: Option<&str>) -> Result<(), WireError> {
        let password = password.ok_or(WireError::Authentication(
            "the server asks for a password and there is none",
        ));
        match self.message().await? {
            Message::AuthenticationOk => return Ok(()),
            Message::ErrorResponse(body) => {
                return Err(WireError::Server(ServerError::read(&body)));
            }
            Message::AuthenticationSasl(body) => {
                let offered: Vec<String> = body.mechanisms().map(|m| Ok(m.to_owned())).collect()?;
                return self.scram(&offered, password?).await;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(user.as_bytes(), password?.as_bytes(), body.salt());
                frontend::password_message(hash.as_bytes(), &mut self.sending)?;
            }
            Message::AuthenticationCleartextPassword => {
                if self.transport.in_the_clear() {
                    return Err(WireError::Authentication(
                        "the server asks for the password itself over an unencrypted connection",
                    ));
                }
                frontend::password_message(password?.as_bytes(), &mut self.sending)?;
            }
            _ => {
                return Err(WireError::Authentication(
                    "the server asks for a method other than scram-sha-256, md5 or password",
                ));
            }
        }
        self.flush().await?;
        self.authenticated().await
    }

    async fn scram(&mut self, offered: &[String], password: &str) -> Result<(), WireError> {
        if !offered.iter().any(|mechanism| mechanism == SCRAM_SHA_256) {
            return Err(WireError::Authentication(
                "the server offers no SASL mechanism but those that bind to a certificate",
            ));
        }
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut self.sending)?;
        self.flush().await?;
        match self.message().await? {
            Message::AuthenticationSaslContinue(body) => scram.update(body.data()).map_err(sasl)?,
            Message::ErrorResponse(body) => {
                return Err(WireError::Server(ServerError::read(&body)));
            }
            _ => return Err(unexpected("SASL authentication")),
        }
        frontend::sasl_response(scram.message(), &mut self.sending)?;
        self.flush().await?;
        match self.message().await? {
            // The server proves here that it knows the password too.
            Message::AuthenticationSaslFinal(body) => scram.finish(body.data()).map_err(sasl)?,
            Message::ErrorResponse(body) => {
                return Err(WireError::Server(ServerError::read(&body)));
            }
            _ => return Err(unexpected("SASL authentication")),
        }
        self.authenticated().await
    }

    async fn authenticated(&mut self) -> Result<(), WireError> {
        match self.message().await? {
            Message::AuthenticationOk => Ok(()),
            Message::ErrorResponse(body) => Err(WireError::Server(ServerError::read(&body))),
            _ => Err(unexpected("authentication")),
        }
    }

    /// Runs one command of the replication protocol or one statement.
    pub(crate) async fn query(&mut self, command: &str) -> Result<Rows, WireError> {
        let answer = async {
            frontend::query(command, &mut self.sending)?;
            self.flush().await?;
            let (mut rows, mut refused) = (Rows::new(), None);
            loop {
                match self.message().await? {
                    Message::DataRow(body) => {
                        let text = |range: Option<std::ops::Range<usize>>| {
                            range
                                .and_then(|r| body.buffer().get(r))
                                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                        };
                        rows.push(body.ranges().map(|range| Ok(text(range))).collect()?);
                    }
                    Message::ErrorResponse(body) => refused = Some(ServerError::read(&body)),
                    Message::ReadyForQuery(_) => {
                        return refused.map_or(Ok(rows), |e| Err(WireError::Server(e)));
                    }
                    Message::RowDescription(_)
                    | Message::CommandComplete(_)
                    | Message::EmptyQueryResponse
                    | Message::ParameterStatus(_)
                    | Message::NoticeResponse(_) => {}
                    _ => return Err(unexpected("the answer to a command")),
                }
            }
        };
        tokio::time::timeout(COMMAND_TIMEOUT, answer)
            .await
            .unwrap_or_else(|_| Err(timed_out()))
    }

    /// Sends a START_REPLICATION; gives back the connection and what of the stream came with the
    /// answer already.
    pub(crate) async fn into_stream(
        mut self,
        command: &str,
    ) -> Result<(Transport, Vec<u8>), WireError> {
        let answer = async {
            frontend::query(command, &mut self.sending)?;
            self.flush().await?;
            loop {
                // CopyBothResponse is unknown to the library.
                if self.header().await?.tag() == b'W' {
                    let length = self.whole_frame().await?;
                    drop(self.received.split_to(length));
                    return Ok(());
                }
                match self.message().await? {
                    Message::ErrorResponse(body) => {
                        return Err(WireError::Server(ServerError::read(&body)));
                    }
                    Message::ParameterStatus(_) | Message::NoticeResponse(_) => {}
                    _ => return Err(unexpected("the answer to START_REPLICATION")),
                }
            }
        };
        match tokio::time::timeout(COMMAND_TIMEOUT, answer).await {
            Ok(done) => done?,
            Err(_) => return Err(timed_out()),
        }
        Ok((self.transport, self.received.to_vec()))
    }

    async fn flush(&mut self) -> Result<(), WireError> {
        self.transport.write_all(&self.sending).await?;
        self.transport.flush().await?;
        self.sending.clear();
        Ok(())
    }

    async fn header(&mut self) -> Result<Header, WireError> {
        loop {
            if let Some(header) = Header::parse(&self.received)? {
                if header.len() > MESSAGE_MAX {
                    return Err(WireError::Protocol(
                        "a message before the stream is implausibly long".into(),
                    ));
                }
                return Ok(header);
            }
            self.fill().await?;
        }
    }

    async fn whole_frame(&mut self) -> Result<usize, WireError> {
        // The length counts itself, the tag before it is not counted.
        let length = self.header().await?.len().unsigned_abs() as usize + 1;
        while self.received.len() < length {
            self.fill().await?;
        }
        Ok(length)
    }

    async fn message(&mut self) -> Result<Message, WireError> {
        self.whole_frame().await?;
        Message::parse(&mut self.received)?.ok_or_else(|| unexpected("a message cut short"))
    }

    async fn fill(&mut self) -> Result<(), WireError> {
        if self.transport.read_buf(&mut self.received).await? == 0 {
            return Err(WireError::Io(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }
}

fn timed_out() -> WireError {
    WireError::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        "the server did not answer in time",
    ))
}

fn unexpected(when: &str) -> WireError {
    WireError::Protocol(format!(
        "a message that the protocol does not have in {when}"
    ))
}

fn sasl(_: std::io::Error) -> WireError {
    WireError::Authentication("the server's part of the SCRAM exchange does not hold")
}
