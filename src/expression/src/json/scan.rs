//! JSON's grammar (RFC 8259), read without building anything.

use super::JsonFault;
use crate::Scratch;

/// So deep arrays and objects are followed: a bit each says which of the two is open.
const MAX_DEPTH: usize = 256;

/// A place in a text.
#[derive(Debug)]
pub(super) struct Scan<'j> {
    text: &'j str,
    at: usize,
}

/// A member's name, as it is spelt.
pub(super) struct Name<'j> {
    pub(super) inside: &'j str,
    has_escapes: bool,
}

impl Name<'_> {
    #[inline]
    pub(super) fn is(&self, name: &str) -> bool {
        match self.has_escapes {
            false => self.inside == name,
            true => is_spelt(self.inside, name),
        }
    }
}

/// Which brackets are open.
#[derive(Default)]
struct Nesting {
    objects: [u64; MAX_DEPTH / 64],
    depth: usize,
}

impl Nesting {
    fn open(&mut self, object: bool, around: usize) -> Result<(), JsonFault> {
        if self.depth + around >= MAX_DEPTH {
            return Err(JsonFault::TooDeep);
        }
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        match object {
            true => self.objects[word] |= bit,
            false => self.objects[word] &= !bit,
        }
        self.depth += 1;
        Ok(())
    }

    /// Whether the innermost is an object.
    fn in_object(&self) -> bool {
        let innermost = self.depth.saturating_sub(1);
        self.objects[innermost / 64] & (1 << (innermost % 64)) != 0
    }
}

impl<'j> Scan<'j> {
    pub(super) fn new(text: &'j str) -> Self {
        Scan { text, at: 0 }
    }

    /// The first sign of what is next.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u8> {
        self.peek()
    }

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Passes over the sign that opens an array or object, which is the next: its place.
    pub(super) fn open(&mut self, depth: usize) -> Result<usize, JsonFault> {
        if depth >= MAX_DEPTH {
            return Err(JsonFault::TooDeep);
        }
        let start = self.at;
        self.at += 1;
        Ok(start)
    }

    /// Passes over the sign that closes an array or object, and gives its text.
    pub(super) fn close(&mut self, start: usize, sign: u8) -> Result<&'j str, JsonFault> {
        self.expect(sign)?;
        Ok(&self.text[start..self.at])
    }

    /// Passes over a sign, where it is the next.
    #[inline]
    pub(super) fn take(&mut self, sign: u8) -> bool {
        let found = self.peek() == Some(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: u8) -> Result<(), JsonFault> {
        match self.take(sign) {
            true => Ok(()),
            false => Err(JsonFault::NotJson),
        }
    }

    /// Nothing but white space follows.
    pub(super) fn end(&mut self) -> Result<(), JsonFault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(JsonFault::NotJson),
        }
    }

    /// Passes over the next value, and gives its text.
    pub(super) fn value(&mut self) -> Result<&'j str, JsonFault> {
        self.value_within(0)
    }

    /// The same where so many arrays and objects are open around it.
    pub(super) fn value_within(&mut self, depth: usize) -> Result<&'j str, JsonFault> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'{' | b'[') => return self.nested(depth),
            Some(b'"') => drop(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            _ => return Err(JsonFault::NotJson),
        }
        Ok(&self.text[start..self.at])
    }

    fn nested(&mut self, around: usize) -> Result<&'j str, JsonFault> {
        let start = self.at;
        let mut nesting = Nesting::default();
        loop {
            // A value is next, or the end of what was just opened.
            match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    nesting.open(true, around)?;
                    if !self.take(b'}') {
                        self.key()?;
                        continue;
                    }
                    nesting.depth -= 1;
                }
                Some(b'[') => {
                    self.at += 1;
                    nesting.open(false, around)?;
                    if !self.take(b']') {
                        continue;
                    }
                    nesting.depth -= 1;
                }
                _ => {
                    self.value_within(around)?;
                }
            }
            // It has ended, and so may what it stands in.
            loop {
                if nesting.depth == 0 {
                    return Ok(&self.text[start..self.at]);
                }
                let object = nesting.in_object();
                if self.take(b',') {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                self.expect(if object { b'}' } else { b']' })?;
                nesting.depth -= 1;
            }
        }
    }

    fn key(&mut self) -> Result<(), JsonFault> {
        match self.peek() {
            Some(b'"') => self.string()?,
            _ => return Err(JsonFault::NotJson),
        };
        self.expect(b':')
    }

    /// Passes over a member's name and the colon behind it.
    #[inline]
    pub(super) fn name(&mut self) -> Result<Name<'j>, JsonFault> {
        if self.peek() != Some(b'"') {
            return Err(JsonFault::NotJson);
        }
        let start = self.at + 1;
        let has_escapes = self.string()?;
        let inside = &self.text[start..self.at - 1];
        self.expect(b':')?;
        Ok(Name {
            inside,
            has_escapes,
        })
    }

    fn word(&mut self, word: &str) -> Result<(), JsonFault> {
        match self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            true => self.at += word.len(),
            false => return Err(JsonFault::NotJson),
        }
        Ok(())
    }

    /// Passes over a string; whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, JsonFault> {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 1;
        let mut has_escapes = false;
        loop {
            at += plain(&bytes[at..]);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    at += escape(&bytes[at..])?;
                }
                Some(0x20..) => at += 1,
                _ => return Err(JsonFault::NotJson),
            }
        }
        self.at = at + 1;
        Ok(has_escapes)
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let bytes = &self.text.as_bytes()[self.at..];
        let count = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        match count {
            0 => Err(JsonFault::NotJson),
            _ => Ok(()),
        }
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        let bytes = self.text.as_bytes();
        let next = |at: usize| bytes.get(at).copied().unwrap_or_default();
        self.at += usize::from(next(self.at) == b'-');
        match next(self.at) {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if next(self.at) == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(next(self.at), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(next(self.at), b'+' | b'-'));
            self.digits()?;
        }
        Ok(())
    }
}

/// How many of the first bytes are for certain neither the string's end nor an escape nor a control
/// character: eight at a time, as far as that goes.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut at = 0;
    for eight in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes(eight.try_into().unwrap_or_default());
        let quote = is_zero(word ^ u64::from_ne_bytes([b'"'; 8]));
        let escape = is_zero(word ^ u64::from_ne_bytes([b'\\'; 8]));
        // Below 0x20; of what has the highest bit, `!word` takes it out again.
        let control = word.wrapping_sub(u64::from_ne_bytes([0x20; 8])) & !word;
        let found = (quote | escape | control) & HIGHS;
        if found != 0 {
            // The lowest of them is one for certain: borrows go upwards alone.
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at
}

/// The length of the escape at the front.
fn escape(bytes: &[u8]) -> Result<usize, JsonFault> {
    match bytes.get(1) {
        Some(b'u') => {
            let digits = bytes.get(2..6).unwrap_or_default();
            match digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit) {
                true => Ok(6),
                false => Err(JsonFault::NotJson),
            }
        }
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        _ => Err(JsonFault::NotJson),
    }
}

/// The characters of a string's inside, escapes read; the escapes are well formed.
struct Characters<'j> {
    inside: &'j str,
}

impl Iterator for Characters<'_> {
    type Item = Result<char, JsonFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.inside.chars().next()?;
        self.inside = &self.inside[first.len_utf8()..];
        if first != '\\' {
            return Some(Ok(first));
        }
        let kind = self.inside.chars().next()?;
        self.inside = &self.inside[kind.len_utf8()..];
        Some(Ok(match kind {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return Some(self.unit().and_then(|unit| self.pair(unit))),
            itself => itself,
        }))
    }
}

impl Characters<'_> {
    fn unit(&mut self) -> Result<u32, JsonFault> {
        let digits = self.inside.get(..4).ok_or(JsonFault::NotJson)?;
        self.inside = &self.inside[4..];
        u32::from_str_radix(digits, 16).map_err(|_| JsonFault::NotJson)
    }

    fn pair(&mut self, high: u32) -> Result<char, JsonFault> {
        let mut code = high;
        if (0xd800..0xdc00).contains(&high) {
            let rest = self.inside.strip_prefix("\\u");
            self.inside = rest.ok_or(JsonFault::Surrogate)?;
            let low = self.unit()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(JsonFault::Surrogate);
            }
            code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        }
        char::from_u32(code).ok_or(JsonFault::Surrogate)
    }
}

/// Whether a string's inside spells a name.
pub(super) fn is_spelt(inside: &str, name: &str) -> bool {
    if !inside.contains('\\') {
        return inside == name;
    }
    Characters { inside }.eq(name.chars().map(Ok))
}

/// A string's inside without its escapes: itself where there are none.
pub(super) fn unescaped<'a>(inside: &'a str, scratch: &'a Scratch) -> Result<&'a str, JsonFault> {
    if !inside.contains('\\') {
        return Ok(inside);
    }
    let characters = || Characters { inside };
    let mut len = 0;
    for character in characters() {
        len += character?.len_utf8();
    }
    let fill = |out: &mut [u8]| {
        let mut at = 0;
        for character in characters().flatten() {
            at += character.encode_utf8(&mut out[at..]).len();
        }
    };
    scratch.text(len, fill).ok_or(JsonFault::TooLong)
}
