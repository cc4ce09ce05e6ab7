use bumpalo::Bump;

use crate::MAX_TEXT_BYTES;

/// What all strings of one row may take together.
const MAX_SCRATCH_BYTES: usize = 8 << 20;

/// Room for the strings that expressions make: kept from row to row, emptied between rows.
#[derive(Debug)]
pub struct Scratch {
    room: Bump,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch::new()
    }
}

impl Scratch {
    /// Room that takes no memory until it is used.
    pub fn new() -> Self {
        let room = Bump::new();
        room.set_allocation_limit(Some(MAX_SCRATCH_BYTES));
        Scratch { room }
    }

    /// Empties it and keeps its memory: once a row, when its values are encoded.
    pub fn clear(&mut self) {
        self.room.reset();
    }

    /// The parts one after another; None where that is too long.
    pub(crate) fn join(&self, parts: &[&str]) -> Option<&str> {
        let len = parts.iter().map(|part| part.len()).sum();
        self.build(len, |out| {
            let mut at = 0;
            for part in parts {
                out[at..at + part.len()].copy_from_slice(part.as_bytes());
                at += part.len();
            }
        })
    }

    /// Text of `len` bytes that is no expression's, written by `fill`: bounded by the row's room
    /// alone. None where that is full, or what was written is no text.
    #[inline]
    pub fn text(&self, len: usize, fill: impl FnOnce(&mut [u8])) -> Option<&str> {
        let out = self.room.try_alloc_slice_fill_copy(len, 0u8).ok()?;
        fill(out);
        std::str::from_utf8(out).ok()
    }

    /// Room for so many of these; None where the row's room is full.
    #[inline]
    #[allow(clippy::mut_from_ref)] // Each call gives room of its own.
    pub(crate) fn slice<T: Copy>(&self, len: usize, of: T) -> Option<&mut [T]> {
        self.room.try_alloc_slice_fill_copy(len, of).ok()
    }

    /// Text of `len` bytes, written by `fill`.
    pub(crate) fn build(&self, len: usize, fill: impl FnOnce(&mut [u8])) -> Option<&str> {
        match len > MAX_TEXT_BYTES {
            true => None,
            false => self.text(len, fill),
        }
    }
}
