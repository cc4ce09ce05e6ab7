//! What takes the place of a protected value, for a row.

use std::io;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use onramp_expression::Scratch;
use sha2::Sha256;

use crate::cipher::{FieldCipher, no_room, text_of};
use crate::convert::{Out, Refusal};
use crate::write;

/// However long the value is: its length says something about it.
const STARS: &str = "****";

/// A field's protection, compiled.
#[derive(Debug)]
pub(crate) enum Protection {
    /// Stars, and so many of the last characters.
    Mask(usize),
    Pseudonym(Pseudonymiser),
    Cipher(Box<FieldCipher>),
}

impl Protection {
    /// What consumers see of a value that is not null.
    pub(crate) fn apply<'a>(
        &'a self,
        value: &Out<'a>,
        scratch: &'a Scratch,
    ) -> Result<Out<'a>, Refusal> {
        match self {
            Protection::Mask(keep) => mask(text_of(value, scratch)?, *keep, scratch),
            Protection::Pseudonym(pseudonymiser) => pseudonymiser.pseudonym(value),
            Protection::Cipher(cipher) => cipher.encrypt(value, scratch),
        }
    }
}

fn mask<'a>(text: &str, keep: usize, scratch: &'a Scratch) -> Result<Out<'a>, Refusal> {
    let tail = tail(text, keep);
    scratch
        .text(STARS.len() + tail.len(), |out| {
            let (stars, end) = out.split_at_mut(STARS.len());
            stars.copy_from_slice(STARS.as_bytes());
            end.copy_from_slice(tail.as_bytes());
        })
        .map(Out::Text)
        .ok_or_else(no_room)
}

/// The last characters, where there are more before them.
fn tail(text: &str, keep: usize) -> &str {
    let from = keep
        .checked_sub(1)
        .and_then(|last| text.char_indices().nth_back(last));
    match from {
        Some((at, _)) if at > 0 => &text[at..],
        _ => "",
    }
}

/// HMAC-SHA-256 under a named key.
#[derive(Clone)]
pub(crate) struct Pseudonymiser {
    name: Arc<str>,
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Pseudonymiser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pseudonymiser({})", self.name)
    }
}

impl Pseudonymiser {
    pub(crate) fn new(name: &str, key: &[u8]) -> Option<Self> {
        Some(Pseudonymiser {
            name: name.into(),
            mac: Hmac::new_from_slice(key).ok()?,
        })
    }

    fn pseudonym<'a>(&'a self, value: &Out<'_>) -> Result<Out<'a>, Refusal> {
        struct Feed<'m>(&'m mut Hmac<Sha256>);
        impl io::Write for Feed<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.update(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut mac = self.mac.clone();
        write::text(value, &mut Feed(&mut mac))
            .map_err(|_| Refusal::value("the value has no text to protect"))?;
        Ok(Out::Pseudonym(
            &self.name,
            mac.finalize().into_bytes().into(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn a_value_is_never_shown_whole() {
        assert_eq!(tail("4929123456784444", 4), "4444");
        assert_eq!(tail("54444", 4), "4444");
        for (text, keep) in [
            ("4444", 4),
            ("444", 4),
            ("", 4),
            ("4444", 0),
            ("é", 1),
            ("", 0),
        ] {
            assert_eq!(tail(text, keep), "", "{text} {keep}");
        }
        // Characters, not bytes.
        assert_eq!(tail("Zoë Čáp", 3), "Čáp");
    }
}
