//! Binary COPY, read in place: PostgreSQL's documentation, "COPY, Binary Format", one CopyData
//! message a row ("Frontend/Backend Protocol, COPY Operations").

use onramp_connector::{Cell, Change, Item, Operation, Span, TableId, Undecodable};

/// What every binary COPY begins with; flags and an extension's length follow.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const HEADER: usize = SIGNATURE.len() + 8;
/// Flags that a reader must know to go on.
const CRITICAL: u32 = 0xffff_0000;
/// A frame's tag and length.
const HEAD: usize = 5;

/// One column at the front of `rest`, and what follows it.
#[inline]
fn column(rest: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Undecodable> {
    let (length, rest) = rest
        .split_first_chunk::<4>()
        .ok_or(Undecodable::Malformed)?;
    match i32::from_be_bytes(*length) {
        -1 => Ok((None, rest)),
        length => {
            let length = usize::try_from(length).map_err(|_| Undecodable::Malformed)?;
            let (value, rest) = rest
                .split_at_checked(length)
                .ok_or(Undecodable::Malformed)?;
            Ok((Some(value), rest))
        }
    }
}

/// Finds the wanted columns of a row: a count, then a length and a value for each.
pub(super) fn read<'a>(
    tuple: &'a [u8],
    wanted: &[u16],
    out: &mut Vec<Cell<'a>>,
) -> Result<(), Undecodable> {
    let (count, mut rest) = tuple
        .split_first_chunk::<2>()
        .ok_or(Undecodable::Malformed)?;
    let count = u16::from_be_bytes(*count);
    let mut place = 0;
    for &wanted in wanted {
        if wanted >= count || wanted < place {
            return Err(Undecodable::Malformed);
        }
        while place < wanted {
            rest = column(rest)?.1;
            place += 1;
        }
        let (value, after) = column(rest)?;
        out.push(value.map_or(Cell::Null, Cell::Raw));
        rest = after;
        place += 1;
    }
    Ok(())
}

/// Whether a row is whole and nothing follows it.
fn whole(tuple: &[u8], columns: u16) -> bool {
    let Some((count, mut rest)) = tuple.split_first_chunk::<2>() else {
        return false;
    };
    if u16::from_be_bytes(*count) != columns {
        return false;
    }
    for _ in 0..columns {
        match column(rest) {
            Ok((_, after)) => rest = after,
            Err(_) => return false,
        }
    }
    rest.is_empty()
}

/// What a COPY in progress came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The next frame has so many bytes, as far as is known.
    Needs(usize),
    /// A limit is reached; the rows after it begin where reading stands.
    Full,
    /// All rows are read; what follows is the rest of the answer.
    Ended,
    /// The frame here is not of the COPY: an error, most likely.
    Interrupted,
    /// A row has so many bytes, more than one may have.
    TooLarge(usize),
    /// Not a binary COPY of the columns that were asked for.
    Unreadable(&'static str),
}

/// The most that may be taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) rows: u32,
    pub(super) bytes: usize,
    pub(super) record_bytes: usize,
}

/// A COPY being read from a buffer that grows.
pub(super) struct Rows {
    columns: u16,
    most: Most,
    /// Where in the buffer the next frame begins.
    pub(super) at: usize,
    /// How many rows were taken, and their bytes.
    pub(super) rows: u32,
    pub(super) bytes: usize,
    /// Where the last row is.
    pub(super) last: Option<Span>,
    begun: bool,
    /// The trailer came: no row may follow.
    over: bool,
}

impl Rows {
    pub(super) fn new(columns: u16, most: Most) -> Rows {
        Rows {
            columns,
            most,
            at: 0,
            rows: 0,
            bytes: 0,
            last: None,
            begun: false,
            over: false,
        }
    }

    /// Takes the whole frames that the buffer has.
    pub(super) fn take(&mut self, buffer: &[u8], items: &mut Vec<Item>) -> State {
        loop {
            let rest = buffer.get(self.at..).unwrap_or_default();
            let Some(head) = rest.first_chunk::<HEAD>() else {
                return State::Needs(HEAD);
            };
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize + 1;
            if length < HEAD {
                return State::Unreadable("a frame without a length");
            }
            match head[0] {
                b'd' => {}
                b'c' if self.over => {
                    self.at += length;
                    return State::Ended;
                }
                // Notices and settings may come at any time.
                b'N' | b'S' if rest.len() >= length => {
                    self.at += length;
                    continue;
                }
                b'N' | b'S' => return State::Needs(length),
                _ => return State::Interrupted,
            }
            let row = length - HEAD;
            if row.saturating_sub(HEADER) > self.most.record_bytes {
                return State::TooLarge(row);
            }
            if self.rows == self.most.rows
                || (self.rows > 0 && self.bytes + row > self.most.bytes && !trailer(rest))
            {
                // The trailer, which ends a COPY that is exhausted, is no row.
                if rest.len() < HEAD + 2 {
                    return State::Needs(HEAD + 2);
                }
                if !trailer(rest) {
                    return State::Full;
                }
            }
            if rest.len() < length {
                return State::Needs(length);
            }
            if let Err(why) = self.row(&rest[HEAD..length], items) {
                return State::Unreadable(why);
            }
            self.at += length;
        }
    }

    #[inline]
    fn row(&mut self, data: &[u8], items: &mut Vec<Item>) -> Result<(), &'static str> {
        let mut tuple = data;
        if !self.begun {
            tuple = header(data)?;
            self.begun = true;
            if tuple.is_empty() {
                return Ok(());
            }
        }
        if self.over {
            return Err("a row after the last");
        }
        if tuple == TRAILER {
            self.over = true;
            return Ok(());
        }
        if !whole(tuple, self.columns) {
            return Err("a row that has not the columns asked for");
        }
        let end = self.at + HEAD + data.len();
        let span = Span {
            start: (end - tuple.len()) as u32,
            end: end as u32,
        };
        items.push(Item::Change(Change {
            table: TableId(0),
            operation: Operation::Insert,
            before: None,
            after: Some(span),
        }));
        self.rows += 1;
        self.bytes += tuple.len();
        self.last = Some(span);
        Ok(())
    }
}

const TRAILER: &[u8] = &[0xff, 0xff];

/// Whether the frame at the front is the trailer's.
fn trailer(frame: &[u8]) -> bool {
    frame.get(1..HEAD + 2) == Some(&[0, 0, 0, 6, 0xff, 0xff])
}

/// What follows the header.
fn header(data: &[u8]) -> Result<&[u8], &'static str> {
    let begins = data.get(..SIGNATURE.len()) == Some(SIGNATURE);
    let (Some(head), true) = (data.get(SIGNATURE.len()..HEADER), begins) else {
        return Err("a COPY that is not binary");
    };
    let number =
        |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if number(0) & CRITICAL != 0 {
        return Err("a COPY with an unknown flag");
    }
    data.get(HEADER + number(4) as usize..)
        .ok_or("a COPY with a header cut short")
}

#[cfg(test)]
mod tests;
