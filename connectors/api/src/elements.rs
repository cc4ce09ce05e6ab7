//! A list of values within a row's bytes, decoded one by one.

use crate::table::{Cell, ColumnDecoder};
use crate::value::{Undecodable, Value};

/// Reads the element at the front of a list's bytes: its cell, and what follows it.
pub type ElementReader = for<'a> fn(&'a [u8]) -> Result<(Cell<'a>, &'a [u8]), Undecodable>;

/// The elements of a list, in order, still in the connector's own encoding: going through them
/// allocates nothing, and a broken one is found where it stands.
#[derive(Clone, Copy)]
pub struct Elements<'a> {
    bytes: &'a [u8],
    count: u32,
    read: ElementReader,
    decoder: ColumnDecoder,
}

impl<'a> Elements<'a> {
    /// So many elements in these bytes, each found by `read` and decoded by `decoder`.
    pub fn new(bytes: &'a [u8], count: u32, read: ElementReader, decoder: ColumnDecoder) -> Self {
        Elements {
            bytes,
            count,
            read,
            decoder,
        }
    }

    /// How many there are said to be.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The elements, as many as [`Elements::len`] says or up to the first that cannot be found. Bytes
    /// that follow the last are [`Undecodable::Malformed`] in its place.
    pub fn iter(&self) -> impl Iterator<Item = Result<Value<'a>, Undecodable>> + use<'a> {
        let Elements {
            mut bytes,
            count,
            read,
            decoder,
        } = *self;
        let mut left = count;
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let found = read(bytes).and_then(|(cell, rest)| {
                bytes = rest;
                if left == 0 && !rest.is_empty() {
                    return Err(Undecodable::Malformed);
                }
                Ok(cell)
            });
            Some(match found {
                Ok(cell) => cell.decode(decoder),
                Err(why) => {
                    left = 0;
                    Err(why)
                }
            })
        })
    }
}

impl PartialEq for Elements<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
