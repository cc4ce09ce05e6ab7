//! A server that answers what a test scripts, for the troubles that no real registry makes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server got.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// e.g. `GET /subjects/a/versions`.
    pub(crate) line: String,
    /// Everything, headers in the case they came in.
    pub(crate) text: String,
}

/// What it does with a request.
pub(crate) enum Reply {
    /// Status and body.
    Json(u16, String),
    /// These very bytes, then the connection ends.
    Raw(String),
    /// Nothing, while the connection stands.
    Silence,
}

/// A server on loopback that lives as long as the test's runtime.
pub(crate) struct Stub {
    /// Its address.
    pub(crate) url: String,
    /// What it got, in order.
    pub(crate) got: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    /// Starts one.
    pub(crate) async fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let (answer, all) = (Arc::new(answer), Arc::clone(&got));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                tokio::spawn(async move { serve(stream, &*answer, &all).await });
            }
        });
        Stub { url, got }
    }

    /// The request lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter().map(|request| request.line.clone()).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &(dyn Fn(&Request) -> Reply + Send + Sync),
    all: &Mutex<Vec<Request>>,
) {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).await.unwrap_or(0);
        if n == 0 {
            return;
        }
        text.extend_from_slice(&buffer[..n]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else {
            // Not HTTP at all, such as a TLS greeting: answered so that the client gives up.
            if text.first().is_some_and(|b| !b.is_ascii_alphabetic()) {
                stream
                    .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    .await
                    .ok();
                return;
            }
            continue;
        };
        let length = head
            .lines()
            .find_map(|l| {
                l.to_lowercase()
                    .strip_prefix("content-length:")?
                    .trim()
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        if body.len() < length {
            continue;
        }
        let line = head.lines().next().unwrap().replace(" HTTP/1.1", "");
        let request = Request { line, text: so_far };
        let reply = answer(&request);
        all.lock().unwrap().push(request);
        match reply {
            Reply::Json(status, body) => {
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).await.ok();
                stream.shutdown().await.ok();
                return;
            }
            Reply::Raw(bytes) => {
                stream.write_all(bytes.as_bytes()).await.ok();
                stream.shutdown().await.ok();
                return;
            }
            Reply::Silence => {
                // Until the client hangs up.
                while stream.read(&mut buffer).await.unwrap_or(0) > 0 {}
                return;
            }
        }
    }
}
