//! pgoutput's messages, protocol 1, read in place.
//!
//! PostgreSQL's documentation, "Logical Replication Message Formats". An unknown message is an
//! error: skipping it could lose a change.

use std::ops::Range;

use super::tuple;

/// One message. Ranges are places within the message's own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// The transaction's commit has this place and time (microseconds since 2000-01-01).
    Begin {
        commit_lsn: u64,
        committed_at: i64,
        xid: u32,
    },
    /// The transaction ends; the next record begins at `end_lsn`.
    Commit { end_lsn: u64 },
    /// A table's columns.
    Relation(Relation<'a>),
    /// A row came.
    Insert { relation: u32, after: Range<usize> },
    /// A row changed.
    Update {
        relation: u32,
        before: Option<Old>,
        after: Range<usize>,
    },
    /// A row went.
    Delete { relation: u32, before: Old },
    /// Tables were emptied; four bytes an oid.
    Truncate { relations: &'a [u8] },
    /// What an application wrote into the log.
    Logical {
        transactional: bool,
        lsn: u64,
        prefix: &'a str,
        content: Range<usize>,
    },
    /// Origin and Type: nothing for us.
    Other,
}

/// An old row, and whether it is whole or its key alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Old {
    pub(super) whole: bool,
    pub(super) tuple: Range<usize>,
}

/// A table as the log describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relation<'a> {
    pub(super) oid: u32,
    pub(super) schema: &'a str,
    pub(super) table: &'a str,
    /// d, i, f, n.
    pub(super) identity: u8,
    pub(super) columns: Vec<RelationColumn<'a>>,
}

/// A column as the log describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelationColumn<'a> {
    pub(super) key: bool,
    pub(super) name: &'a str,
    pub(super) oid: u32,
    pub(super) typmod: i32,
}

/// A message that is not as the documentation has it: its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) u8);

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = *self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(bytes)
    }
    #[inline]
    fn u8(&mut self) -> Option<u8> {
        self.take().map(|[byte]: [u8; 1]| byte)
    }
    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }
    #[inline]
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }
    fn text(&mut self) -> Option<&'a str> {
        let rest = self.bytes.get(self.at..)?;
        let end = rest.iter().position(|b| *b == 0)?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).ok()
    }
    #[inline]
    fn rest(&self) -> Range<usize> {
        self.at..self.bytes.len()
    }
    fn old(&mut self, tag: u8) -> Option<Old> {
        let length = tuple::length(self.bytes.get(self.at..)?).ok()?;
        let tuple = self.at..self.at + length;
        self.at = tuple.end;
        Some(Old {
            whole: tag == b'O',
            tuple,
        })
    }
}

/// Reads one message.
#[inline]
pub(super) fn parse(bytes: &[u8]) -> Result<Message<'_>, Unreadable> {
    let tag = bytes.first().copied().unwrap_or(0);
    read(tag, Reader { bytes, at: 1 }).ok_or(Unreadable(tag))
}

fn read(tag: u8, mut r: Reader<'_>) -> Option<Message<'_>> {
    Some(match tag {
        b'I' => {
            let relation = r.u32()?;
            (r.u8()? == b'N').then_some(())?;
            Message::Insert {
                relation,
                after: r.rest(),
            }
        }
        b'U' => {
            let relation = r.u32()?;
            let (before, new) = match r.u8()? {
                old @ (b'K' | b'O') => (Some(r.old(old)?), r.u8()?),
                new => (None, new),
            };
            (new == b'N').then_some(())?;
            Message::Update {
                relation,
                before,
                after: r.rest(),
            }
        }
        b'D' => {
            let relation = r.u32()?;
            let old = r.u8()?;
            matches!(old, b'K' | b'O').then_some(())?;
            Message::Delete {
                relation,
                before: Old {
                    whole: old == b'O',
                    tuple: r.rest(),
                },
            }
        }
        b'B' => Message::Begin {
            commit_lsn: r.u64()?,
            committed_at: r.u64()?.cast_signed(),
            xid: r.u32()?,
        },
        b'C' => {
            let (_flags, _commit_lsn) = (r.u8()?, r.u64()?);
            Message::Commit { end_lsn: r.u64()? }
        }
        b'R' => Message::Relation(relation(&mut r)?),
        b'T' => {
            let (count, _flags) = (r.u32()? as usize, r.u8()?);
            let relations = r.bytes.get(r.at..)?;
            (relations.len() == count.checked_mul(4)?).then_some(())?;
            Message::Truncate { relations }
        }
        b'M' => {
            let (flags, lsn, prefix) = (r.u8()?, r.u64()?, r.text()?);
            let length = r.u32()? as usize;
            (r.rest().len() == length).then_some(())?;
            Message::Logical {
                transactional: flags & 1 != 0,
                lsn,
                prefix,
                content: r.rest(),
            }
        }
        b'O' | b'Y' => Message::Other,
        _ => return None,
    })
}

fn relation<'a>(r: &mut Reader<'a>) -> Option<Relation<'a>> {
    let (oid, schema, table, identity) = (r.u32()?, r.text()?, r.text()?, r.u8()?);
    let count = r.u16()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(RelationColumn {
            key: r.u8()? & 1 != 0,
            name: r.text()?,
            oid: r.u32()?,
            typmod: r.u32()?.cast_signed(),
        });
    }
    // The catalogue's own schema comes as an empty name.
    let schema = if schema.is_empty() {
        "pg_catalog"
    } else {
        schema
    };
    Some(Relation {
        oid,
        schema,
        table,
        identity,
        columns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn transactions() {
        let begin = [
            b"B".as_slice(),
            &7_u64.to_be_bytes(),
            &9_i64.to_be_bytes(),
            &3_u32.to_be_bytes(),
        ];
        assert_eq!(
            parse(&begin.concat()),
            Ok(Message::Begin {
                commit_lsn: 7,
                committed_at: 9,
                xid: 3
            })
        );
        let commit = [
            b"C\0".as_slice(),
            &7_u64.to_be_bytes(),
            &8_u64.to_be_bytes(),
            &[0; 8],
        ];
        assert_eq!(parse(&commit.concat()), Ok(Message::Commit { end_lsn: 8 }));
    }

    #[test]
    fn rows() {
        let row = b"\0\x01n";
        let insert = [b"I\0\0\0\x05N".as_slice(), row].concat();
        assert_eq!(
            parse(&insert),
            Ok(Message::Insert {
                relation: 5,
                after: 6..9
            })
        );
        let update = [b"U\0\0\0\x05N".as_slice(), row].concat();
        assert_eq!(
            parse(&update),
            Ok(Message::Update {
                relation: 5,
                before: None,
                after: 6..9
            })
        );
        for (tag, whole) in [(b"K", false), (b"O", true)] {
            let update = [b"U\0\0\0\x05".as_slice(), tag, row, b"N", row].concat();
            let before = Some(Old { whole, tuple: 6..9 });
            assert_eq!(
                parse(&update),
                Ok(Message::Update {
                    relation: 5,
                    before,
                    after: 10..13
                })
            );
            let delete = [b"D\0\0\0\x05".as_slice(), tag, row].concat();
            let before = Old { whole, tuple: 6..9 };
            assert_eq!(
                parse(&delete),
                Ok(Message::Delete {
                    relation: 5,
                    before
                })
            );
        }
        let truncate = b"T\0\0\0\x01\0\0\0\0\x05";
        assert_eq!(
            parse(truncate),
            Ok(Message::Truncate {
                relations: &[0, 0, 0, 5]
            })
        );
        assert_eq!(parse(b"T\0\0\0\x02\0\0\0\0\x05"), Err(Unreadable(b'T')));
    }

    #[test]
    fn messages() {
        let bytes = b"M\x01\0\0\0\0\0\0\0\x07orders.\0\0\0\0\x02{}";
        assert_eq!(
            parse(bytes),
            Ok(Message::Logical {
                transactional: true,
                lsn: 7,
                prefix: "orders.",
                content: 22..24
            })
        );
        for end in 1..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Err(Unreadable(b'M')), "{end}");
        }
    }

    #[test]
    fn relations() {
        let bytes = b"R\0\0\0\x05public\0t\0d\0\x02\x01a\0\0\0\0\x17\xff\xff\xff\xff\0b\0\0\0\0\x19\0\0\0\x09";
        let column = |key, name, oid, typmod| RelationColumn {
            key,
            name,
            oid,
            typmod,
        };
        assert_eq!(
            parse(bytes),
            Ok(Message::Relation(Relation {
                oid: 5,
                schema: "public",
                table: "t",
                identity: b'd',
                columns: vec![column(true, "a", 23, -1), column(false, "b", 25, 9)],
            }))
        );
        for end in 1..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Err(Unreadable(b'R')), "{end}");
        }
    }

    #[test]
    fn unknown_messages_are_refused_and_harmless_ones_are_not() {
        for tag in [b"O", b"Y"] {
            assert_eq!(parse(tag), Ok(Message::Other));
        }
        assert_eq!(parse(b"S"), Err(Unreadable(b'S')));
        assert_eq!(parse(b""), Err(Unreadable(0)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            tag in proptest::sample::select(b"BCRIUDTOYMS".to_vec()),
            bytes in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            let _ = parse(&bytes);
            let _ = parse(&[&[tag], &bytes[..]].concat());
            let _ = parse(&[&[tag, 0, 0, 0, 1, b'K', 0, 1], &bytes[..]].concat());
        }
    }
}
