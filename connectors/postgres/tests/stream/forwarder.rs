//! A forwarder before the server: counts connections, and may put keepalives into the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use onramp_postgres::Target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) struct Forwarder {
    pub(crate) port: u16,
    accepted: Arc<AtomicUsize>,
    put_in: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Forwarder {
    /// Forwards to the target's server. With `keepalive_at`, a keepalive that names this place
    /// follows each Begin.
    pub(crate) async fn to(target: &Target, keepalive_at: Option<u64>) -> Forwarder {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let far = (target.host.clone(), target.port);
        let (accepted, put_in) = (Arc::default(), Arc::default());
        let (count, keepalives): (Arc<AtomicUsize>, Arc<AtomicUsize>) =
            (Arc::clone(&accepted), Arc::clone(&put_in));
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let far = TcpStream::connect((far.0.as_str(), far.1)).await.unwrap();
                let keepalives = keepalives.clone();
                tokio::spawn(async move {
                    let (mut from_near, mut to_near) = near.into_split();
                    let (mut from_far, mut to_far) = far.into_split();
                    let up = tokio::io::copy(&mut from_near, &mut to_far);
                    let down = async {
                        while let Ok(frame) = frame(&mut from_far).await {
                            to_near.write_all(&frame).await?;
                            if let (Some(at), true) = (keepalive_at, is_begin(&frame)) {
                                to_near.write_all(&keepalive(at)).await?;
                                keepalives.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                        Ok::<(), std::io::Error>(())
                    };
                    tokio::select! { _ = up => {}, _ = down => {} }
                });
            }
        });
        Forwarder {
            port,
            accepted,
            put_in,
            task,
        }
    }

    /// How many connections there were.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many keepalives were put in.
    pub(crate) fn put_in(&self) -> usize {
        self.put_in.load(Ordering::Relaxed)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One message of the server, whole.
async fn frame(from: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![0; 5];
    from.read_exact(&mut frame).await?;
    let length = u32::from_be_bytes([frame[1], frame[2], frame[3], frame[4]]) as usize + 1;
    frame.resize(length, 0);
    from.read_exact(&mut frame[5..]).await?;
    Ok(frame)
}

/// A Begin in its XLogData in its CopyData.
fn is_begin(frame: &[u8]) -> bool {
    frame[0] == b'd' && frame.get(5) == Some(&b'w') && frame.get(30) == Some(&b'B')
}

/// A keepalive that asks for nothing.
fn keepalive(at: u64) -> Vec<u8> {
    let payload = [b"k", &at.to_be_bytes()[..], &[0; 9]].concat();
    [
        b"d",
        &(payload.len() as u32 + 4).to_be_bytes()[..],
        &payload,
    ]
    .concat()
}
