//! What is a test's own, whoever else runs the same tests on the same machine.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// A name that no test of another tree has; of this tree the same each time, so that a run clears
/// away what an earlier one left behind.
pub(crate) fn name(kind: &str, name: &str) -> String {
    let fnv = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    let tree = env!("CARGO_MANIFEST_DIR").as_bytes();
    let tree = tree.iter().fold(0x811c_9dc5, fnv);
    format!("onramp_{kind}_{tree:08x}_{name}")
}

/// A port that no other test is given, in this process or another, until it is dropped. It lies
/// below those that the kernel gives to connections, since the servers are started more than once.
pub(crate) struct Port {
    pub(crate) number: u16,
    /// A name that the kernel gives to one process; the same that the tests of the whole system use.
    _claim: UnixListener,
}

impl Port {
    pub(crate) fn claim() -> Port {
        let begin = (std::process::id() % 600) as u16 * 20;
        for place in 0..12_000 {
            let number = 20_000 + (begin + place) % 12_000;
            let name = format!("onramp-test-port-{number}");
            let name = SocketAddr::from_abstract_name(name).unwrap();
            if let Ok(claim) = UnixListener::bind_addr(&name)
                && TcpListener::bind(("127.0.0.1", number)).is_ok()
            {
                return Port {
                    number,
                    _claim: claim,
                };
            }
        }
        panic!("no port is free");
    }
}
