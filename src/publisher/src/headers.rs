//! Headers: what an event says of itself beside its value.

use std::io::Write as _;

use onramp_event::{Arena, Origin, Record, Route};

use crate::native::HeaderList;

/// What headers events carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderMode {
    /// The CloudEvents 1.0 Kafka binding (binary mode), and those of `Transaction`.
    CloudEvents,
    /// `onramp_tx` and `onramp_ordinal`: the source transaction's id, and the event's number
    /// within transaction and product. An event from a row that was there already has
    /// `onramp_op: snapshot` and `onramp_id` instead: the run's id and the key, or, of a row that is
    /// told once, the row's name and the type. One that is replayed from quarantine has `onramp_position`,
    /// where its change stands in the log, and `onramp_replayed`, its offset in quarantine, in place of
    /// the ordinal.
    Transaction,
    /// None.
    None,
}

/// Bytes that a header takes beside name and value, at most: two varints.
const FRAME: usize = 6;

/// Builds headers, with what a source transaction's events share worked out once.
pub(crate) struct Headers {
    mode: HeaderMode,
    /// The arena's transaction that `time` belongs to.
    transaction: Option<u32>,
    time: Vec<u8>,
    ordinal: Vec<u8>,
    id: Vec<u8>,
}

impl Headers {
    pub(crate) fn new(mode: HeaderMode) -> Self {
        Headers {
            mode,
            transaction: None,
            time: Vec::with_capacity(40),
            ordinal: Vec::with_capacity(20),
            id: Vec::with_capacity(64),
        }
    }

    /// Another arena: its transactions are numbered anew.
    pub(crate) fn next_arena(&mut self) {
        self.transaction = None;
    }

    /// The headers of a record and how many bytes they take, names and frames included.
    #[inline]
    pub(crate) fn build(
        &mut self,
        route: &Route,
        arena: &Arena,
        record: &Record,
    ) -> (Option<HeaderList>, usize) {
        if self.mode == HeaderMode::None {
            return (None, 0);
        }
        let cloud = self.mode == HeaderMode::CloudEvents;
        let transaction = &arena.transactions[record.transaction as usize];
        // Writing to a Vec cannot fail.
        let snapshot = transaction.origin == Origin::Snapshot;
        self.ordinal.clear();
        let _ = write!(self.ordinal, "{}", record.ordinal);
        if let Some(id) = record.id {
            self.id.clear();
            self.id.extend_from_slice(arena.slice(id));
        } else if cloud || snapshot {
            self.id.clear();
            self.id.extend_from_slice(arena.slice(transaction.place));
            match (transaction.replayed, snapshot, arena.slice(record.row)) {
                // The ordinals of its transaction went to others.
                (Some(offset), ..) => {
                    let _ = write!(self.id, "-replayed-{offset}-{}", record.ordinal);
                }
                (None, false, _) => {
                    self.id.push(b'-');
                    self.id.extend_from_slice(&self.ordinal);
                }
                (None, true, []) => {
                    self.id.push(b'/');
                    self.id.extend_from_slice(arena.slice(record.subject));
                }
                // Several rows have one key, and a row gives several facts.
                (None, true, row) => {
                    self.id.push(b'/');
                    for byte in row {
                        let _ = write!(self.id, "{byte:02x}");
                    }
                    self.id.push(b'/');
                    self.id
                        .extend_from_slice(own_name(route, record).as_bytes());
                }
            }
        }
        let Some(mut list) = HeaderList::with_capacity(if cloud { 10 } else { 2 }) else {
            return (None, 0);
        };
        let mut bytes = 0;
        let mut add = |name: &'static std::ffi::CStr, value: &[u8]| {
            bytes += name.count_bytes() + value.len() + FRAME;
            list.add(name, value);
        };
        if cloud {
            if let Some(at_us) = record.at_us {
                self.transaction = None;
                self.time.clear();
                write_rfc3339(&mut self.time, at_us);
            } else if self.transaction != Some(record.transaction) {
                self.transaction = Some(record.transaction);
                self.time.clear();
                write_rfc3339(&mut self.time, transaction.committed_at_us);
            }
            add(c"ce_specversion", b"1.0");
            add(c"ce_id", &self.id);
            add(c"ce_source", route.source.as_bytes());
            let r#type = route.types.get(usize::from(record.r#type));
            if let Some(r#type) = r#type {
                add(c"ce_type", r#type.name.as_bytes());
                if !route.quarantine {
                    add(c"ce_dataschema", r#type.data_schema.as_bytes());
                }
            }
            add(c"ce_time", &self.time);
            add(c"ce_subject", arena.slice(record.subject));
            let content: &[u8] = match route.quarantine {
                true => b"application/json",
                false => b"application/avro",
            };
            add(c"content-type", content);
        }
        if snapshot {
            add(c"onramp_op", b"snapshot");
            add(c"onramp_id", &self.id);
        } else {
            add(c"onramp_tx", arena.slice(transaction.id));
            if transaction.replayed.is_none() {
                add(c"onramp_ordinal", &self.ordinal);
            }
        }
        if let Some(offset) = transaction.replayed {
            add(c"onramp_position", arena.slice(transaction.place));
            self.ordinal.clear();
            let _ = write!(self.ordinal, "{offset}");
            add(c"onramp_replayed", &self.ordinal);
        }
        if let Some(id) = record.id {
            add(c"onramp_event_id", arena.slice(id));
        }
        for (name, value) in arena.headers(record.headers) {
            bytes += name.len() + value.len() + FRAME;
            list.add_named(name, value);
        }
        (Some(list), bytes)
    }
}

/// What the product's file calls the type of an event.
fn own_name<'r>(route: &'r Route, record: &Record) -> &'r str {
    let name = route.types.get(usize::from(record.r#type));
    let name = name.map_or("", |r#type| &r#type.name);
    let own = name.strip_prefix(&*route.product);
    own.map_or(name, |own| own.trim_start_matches('.'))
}

/// [`write_rfc3339`] as a text of its own.
pub fn rfc3339(us: i64) -> String {
    let mut text = Vec::with_capacity(32);
    write_rfc3339(&mut text, us);
    // Digits and signs alone.
    String::from_utf8(text).unwrap_or_default()
}

/// Microseconds since 1970 as RFC 3339 in UTC, with six decimals; the calendar is the proleptic
/// Gregorian one (days to civil, after H. Hinnant's published algorithm).
pub(crate) fn write_rfc3339(out: &mut Vec<u8>, us: i64) {
    const DAY_S: i64 = 86_400;
    let (seconds, micros) = (us.div_euclid(1_000_000), us.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
    // Eras of 400 years, counted from 0000-03-01, so that the leap day is a year's last.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc3339() {
        for (us, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_799_123_456, "2000-02-29T23:59:59.123456Z"),
            (1_795_434_061_000_001, "2026-11-23T11:41:01.000001Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            let mut out = Vec::new();
            write_rfc3339(&mut out, us);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
