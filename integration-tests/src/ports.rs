//! Ports that no other test is given, in this process or another, for as long as they are claimed.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Below those that the kernel gives to connections: a server that is killed has to find its port
/// free when it comes back, and one that is started a moment after its port was chosen, too.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Free ports in a row; others may have them once it is dropped.
pub struct Ports {
    first: u16,
    /// A name beside each port, which the kernel gives to one process and takes back at its end.
    /// The port itself cannot be held: a server is to listen there.
    _claims: Vec<UnixListener>,
}

impl Ports {
    /// Claims so many.
    ///
    /// # Panics
    /// Where there are none.
    pub fn claim(count: u16) -> Ports {
        let places = RANGE.end - RANGE.start - count;
        // Processes begin to look in different places.
        let begin = (std::process::id() % 600) as u16 * 20;
        for place in 0..places {
            let first = RANGE.start + (begin + place) % places;
            let claims = (first..first + count).map_while(claim).collect::<Vec<_>>();
            if claims.len() == usize::from(count) {
                return Ports {
                    first,
                    _claims: claims,
                };
            }
        }
        panic!("no port is free");
    }

    /// The first of them.
    pub fn first(&self) -> u16 {
        self.first
    }

    /// Keeps them until the process ends.
    pub fn keep(self) -> u16 {
        let first = self.first;
        std::mem::forget(self);
        first
    }
}

/// The claim of a port where nobody listens; None where somebody has either.
fn claim(port: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("onramp-test-port-{port}")).ok()?;
    let claim = UnixListener::bind_addr(&name).ok()?;
    TcpListener::bind(("127.0.0.1", port)).ok()?;
    Some(claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_is_nobody_elses_until_it_is_dropped() {
        let ports = Ports::claim(3);
        let first = ports.first();
        assert!((first..first + 3).all(|port| claim(port).is_none()));
        let others = Ports::claim(3);
        assert!(others.first() >= first + 3 || others.first() + 3 <= first);
        // What is given back may be somebody else's at once, so that nothing is said of it here.
    }

    #[test]
    fn a_port_where_somebody_listens_is_not_given() {
        let ports = Ports::claim(1);
        let port = ports.first();
        let _listens = TcpListener::bind(("127.0.0.1", port)).unwrap();
        drop(ports);
        assert!(claim(port).is_none());
    }
}
