//! An address that can be made to lead to another server, as a name in the network can: connections
//! that are there stay where they are.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};

/// The address; its connections end with the test's runtime.
pub struct Switch {
    /// Where to connect to, `host:port`.
    pub address: String,
    leads_to: Arc<Mutex<String>>,
}

impl Switch {
    /// One that leads to `host:port` for now.
    ///
    /// # Panics
    /// Where loopback has no free port.
    pub async fn to(server: &str) -> Switch {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let leads_to = Arc::new(Mutex::new(server.to_owned()));
        let now = leads_to.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let server = now.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(&server).await {
                        // Either end may go whenever it likes.
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Switch { address, leads_to }
    }

    /// From now on new connections go there.
    pub fn lead_to(&self, server: &str) {
        *self.leads_to.lock().unwrap_or_else(PoisonError::into_inner) = server.to_owned();
    }
}

/// The `host:port` of a server's URL.
///
/// # Panics
/// Where it is none with a user and a database.
pub fn address(url: &str) -> String {
    let rest = url.split_once('@').expect("the URL has a user").1;
    let address = rest.split_once('/').expect("the URL has a database").0;
    address.to_owned()
}
