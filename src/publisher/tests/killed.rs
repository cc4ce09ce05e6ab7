//! A publishing process killed with SIGKILL, over and over.
#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod broker;

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use broker::{Gateway, arena, settings, unique, within};
use onramp_publisher::progress;

/// How often it is killed.
const KILLS: u64 = 8;

/// The source: transaction `n` has three events, and every third arrives in two arenas.
fn publish(gateway: &Gateway, until: u64) {
    let producer = gateway.producer().unwrap();
    let from = gateway.position().map_or(0, |p| p.parse::<u64>().unwrap());
    let mut running = gateway.run_with(producer, "a", Vec::new());
    for n in from + 1..=until {
        let place = n.to_string();
        let keys = [n % 5, n % 7, n % 11].map(|k| format!("k{k}"));
        let values = [0, 1, 2].map(|e| format!("{n}-{e}"));
        let events: Vec<_> = (0..3)
            .map(|e| (keys[e].as_str(), Some(values[e].as_str())))
            .collect();
        if n % 3 == 0 {
            running.send(arena(None, &place, 3, &events[..1]));
            running.send(arena(Some(&place), &place, 3, &events[1..]));
        } else {
            running.send(arena(Some(&place), &place, 3, &events));
        }
        while running.back.try_recv().is_ok() {}
    }
    running.end().unwrap();
}

/// The process that is killed.
fn victim(name: &str) {
    let (name, topic) = name.split_once('/').unwrap();
    let gateway = Gateway::named(name.into(), topic.into(), settings());
    publish(&gateway, u64::MAX);
}

struct Victim(Child);

impl Victim {
    /// It lives, unless it is killed: whatever else ends it, it says why.
    fn lives(&mut self) -> bool {
        if self.0.try_wait().unwrap().is_some() {
            let mut said = String::new();
            let mut errors = self.0.stderr.take().unwrap();
            errors.read_to_string(&mut said).unwrap();
            panic!("the publisher ended by itself:\n{said}");
        }
        true
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // One that ended by itself was told of.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_killed_publisher_publishes_nothing_twice_and_loses_nothing() {
    // Started by this very test, in a process of its own.
    if let Ok(name) = std::env::var("ONRAMP_TEST_VICTIM") {
        return victim(&name);
    }
    let me = "a_killed_publisher_publishes_nothing_twice_and_loses_nothing";
    let gateway = Gateway::named(unique("gw"), unique("test.killed.v1"), settings());
    let mut seed = 7u64;
    let mut before = 0;
    for _ in 0..KILLS {
        let victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", me])
            .env(
                "ONRAMP_TEST_VICTIM",
                format!("{}/{}", gateway.name, gateway.topic),
            )
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut victim = Victim(victim);
        within(|| {
            assert!(victim.lives());
            let now = progress::read(&gateway.kafka, &gateway.name).unwrap();
            let now = now
                .and_then(|p| p.position)
                .map_or(0, |p| p.position.parse().unwrap());
            std::mem::replace(&mut before, now) < now
        });
        // The moment itself is left to chance.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_micros(seed >> 46));
        drop(victim);
    }
    // The last one's transaction may be open: nothing is settled until a successor ends it.
    drop(gateway.producer().unwrap());
    let last = gateway
        .position()
        .unwrap()
        .parse::<u64>()
        .unwrap()
        .max(before)
        + 50;
    publish(&gateway, last);

    let mut counts = vec![[0u8; 3]; last as usize + 1];
    let mut newest = std::collections::BTreeMap::new();
    for seen in gateway.consume() {
        let value = seen.value.unwrap();
        let (n, event) = value.split_once('-').unwrap();
        let (n, event) = (n.parse::<u64>().unwrap(), event.parse::<usize>().unwrap());
        counts[n as usize][event] += 1;
        let older = newest.insert(seen.key, (n, event));
        assert!(older < Some((n, event)), "a step back in time at {value}");
    }
    for (n, count) in counts.iter().enumerate().skip(1) {
        assert_eq!(*count, [1, 1, 1], "transaction {n} of {last}");
    }
    assert_eq!(gateway.position().unwrap(), last.to_string());
}
