//! The bytes' way: TCP, TLS over TCP, or a Unix socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::WireError;
use super::tls;
use crate::target::{Target, TlsMode};

/// An open connection, before anything of the protocol but the request for TLS.
pub(crate) enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

/// SSLRequest: its length, and the code that stands for a version.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

impl Transport {
    /// Connects, with TLS as the target says.
    pub(crate) async fn open(
        target: &Target,
        config: Option<std::sync::Arc<rustls::ClientConfig>>,
    ) -> Result<Transport, WireError> {
        if target.host.starts_with('/') {
            let path = format!("{}/.s.PGSQL.{}", target.host, target.port);
            return Ok(Transport::Unix(UnixStream::connect(path).await?));
        }
        let mut tcp = TcpStream::connect((target.host.as_str(), target.port)).await?;
        tcp.set_nodelay(true)?;
        let Some(config) = config else {
            return Ok(Transport::Tcp(tcp));
        };
        tcp.write_all(&SSL_REQUEST).await?;
        // One byte and no more: what came with it in the clear must not count as encrypted.
        match tcp.read_u8().await? {
            b'S' => {}
            b'N' if target.tls == TlsMode::Prefer => return Ok(Transport::Tcp(tcp)),
            b'N' => return Err(WireError::Tls("the server does not offer TLS".into())),
            _ => {
                return Err(WireError::Tls(
                    "the server does not know the request for TLS".into(),
                ));
            }
        }
        let name: ServerName<'static> = tls::server_name(&target.host)?;
        let secured = TlsConnector::from(config)
            .connect(name, tcp)
            .await
            .map_err(|error| {
                // A certificate that is refused stays refused; a cut connection does not.
                match error
                    .get_ref()
                    .is_some_and(|inner| inner.is::<rustls::Error>())
                {
                    true => WireError::Tls(error.to_string()),
                    false => WireError::Io(error),
                }
            })?;
        Ok(Transport::Tls(Box::new(secured)))
    }

    /// Whether others on the way may read along.
    pub(super) fn in_the_clear(&self) -> bool {
        matches!(self, Transport::Tcp(_))
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Tcp(s) => Pin::new(s).poll_read(cx, buffer),
            Transport::Tls(s) => Pin::new(s.as_mut()).poll_read(cx, buffer),
            Transport::Unix(s) => Pin::new(s).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Tcp(s) => Pin::new(s).poll_write(cx, bytes),
            Transport::Tls(s) => Pin::new(s.as_mut()).poll_write(cx, bytes),
            Transport::Unix(s) => Pin::new(s).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Tcp(s) => Pin::new(s).poll_flush(cx),
            Transport::Tls(s) => Pin::new(s.as_mut()).poll_flush(cx),
            Transport::Unix(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Transport::Tls(s) => Pin::new(s.as_mut()).poll_shutdown(cx),
            Transport::Unix(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
