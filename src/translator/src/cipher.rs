//! Deterministic authenticated encryption of a field's values: AES-SIV (RFC 5297).
//!
//! The same value of the same field under the same key gives the same text, so that a replay gives
//! the same bytes. Product, field and key's name go into the derivation of the key: a value that is
//! moved elsewhere is not read there, and equal values of two fields show as different ones. As
//! associated data they would say the same, and be authenticated anew with every value: derived,
//! they cost nothing for a row, and whoever is to read one field can be given its key alone.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aes_siv::siv::{Aes256Siv, IV_SIZE};
use aes_siv::{KeyInit, Tag};
use hkdf::Hkdf;
use onramp_expression::Scratch;
use sha2::Sha256;

use crate::base64url::{decode, encode_in_place, encoded_len};
use crate::convert::{Out, Refusal};
use crate::write;

/// What separates this use of a secret from every other: HKDF's `info` (RFC 5869) begins with it.
const PURPOSE: &str = "onramp aes-siv v1";

/// The least length of a secret that values are encrypted under.
pub const LEAST_SECRET_BYTES: usize = 16;

/// What tells a secret from another without telling the secret: derived like a key (RFC 5869), for
/// a purpose of its own.
pub fn fingerprint(secret: &[u8]) -> String {
    let mut out = [0; 16];
    // 16 bytes are what HKDF can give.
    let _ = Hkdf::<Sha256>::new(None, secret).expand(b"onramp fingerprint v1", &mut out);
    out.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// No associated data: what there is to say stands in the key.
const NOTHING: [&[u8]; 0] = [];

/// A field's cipher under one of the gateway's keys.
pub struct FieldCipher {
    /// The key's name.
    key: Arc<str>,
    /// It keeps a running state while it works, and gives the same whatever came before. Each thread
    /// has its own; a value that is still to be written refers to it, and may go to another.
    siv: Mutex<Aes256Siv>,
}

impl std::fmt::Debug for FieldCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FieldCipher({})", self.key)
    }
}

impl FieldCipher {
    /// The cipher of a field, given by the path to it, of a product, given by its whole name
    /// (`commerce.orders.v1`), under the key of this name. None where the secret is empty.
    pub fn new(key: &str, secret: &[u8], product: &str, field: &str) -> Option<FieldCipher> {
        if secret.is_empty() {
            return None;
        }
        // None of these names can hold a zero.
        let info = [PURPOSE, product, field, key].join("\0");
        let mut derived = [0; 64];
        Hkdf::<Sha256>::new(None, secret)
            .expand(info.as_bytes(), &mut derived)
            .ok()?;
        Some(FieldCipher {
            key: key.into(),
            siv: Mutex::new(Aes256Siv::new(&derived.into())),
        })
    }

    fn siv(&self) -> MutexGuard<'_, Aes256Siv> {
        self.siv.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of the key that a value was encrypted under, and the rest of it.
    pub fn parts(value: &str) -> Option<(&str, &str)> {
        value.split_once(':')
    }

    /// What was encrypted; None where this is not what [`FieldCipher`] makes of anything.
    pub fn decrypt(&self, value: &str) -> Option<String> {
        let (key, rest) = FieldCipher::parts(value)?;
        let mut bytes = decode(rest).filter(|bytes| key == &*self.key && bytes.len() >= IV_SIZE)?;
        let text = bytes.split_off(IV_SIZE);
        let tag = Tag::try_from(&bytes[..]).ok()?;
        let mut text = text;
        self.siv()
            .decrypt_inout_detached(NOTHING, text.as_mut_slice().into(), &tag)
            .ok()?;
        String::from_utf8(text).ok()
    }

    /// `KEY:` and the base64url of tag and ciphertext of the value's text.
    pub(crate) fn encrypt<'a>(
        &self,
        value: &Out<'_>,
        scratch: &'a Scratch,
    ) -> Result<Out<'a>, Refusal> {
        let text_len = text_len(value);
        let sealed_len = IV_SIZE + text_len;
        let prefix = self.key.len() + 1;
        let mut sealed = false;
        let made = scratch.text(prefix + encoded_len(sealed_len), |out| {
            let (name, room) = out.split_at_mut(prefix);
            name[..prefix - 1].copy_from_slice(self.key.as_bytes());
            name[prefix - 1] = b':';
            let at = room.len() - sealed_len;
            let (tag_room, text_room) = room[at..].split_at_mut(IV_SIZE);
            // The room is as long as the text.
            let _ = write::text(value, &mut &mut *text_room);
            let tag = self.siv().encrypt_inout_detached(NOTHING, text_room.into());
            // Only 127 headers or more are refused.
            let Ok(tag) = tag else { return };
            tag_room.copy_from_slice(&tag);
            encode_in_place(room, sealed_len);
            sealed = true;
        });
        match made {
            Some(text) if sealed => Ok(Out::Text(text)),
            _ => Err(no_room()),
        }
    }
}

/// The text of a value, in the row's room where it has none of its own.
pub(crate) fn text_of<'a>(value: &Out<'a>, scratch: &'a Scratch) -> Result<&'a str, Refusal> {
    if let Out::Text(text) | Out::Symbol(_, text) = value {
        return Ok(text);
    }
    scratch
        .text(text_len(value), |mut out| {
            let _ = write::text(value, &mut out);
        })
        .ok_or_else(no_room)
}

fn text_len(value: &Out<'_>) -> usize {
    struct Count(usize);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    if let Out::Text(text) | Out::Symbol(_, text) = value {
        return text.len();
    }
    let mut count = Count(0);
    let _ = write::text(value, &mut count);
    count.0
}

pub(crate) fn no_room() -> Refusal {
    Refusal::value(
        "the row's values are too long to be protected: together they take more than 8 MiB",
    )
}

#[cfg(test)]
mod tests {
    use aes_siv::siv::Aes128Siv;
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(digit).collect()
    }

    /// RFC 5297, appendices A.1 and A.2: key, associated data, plaintext, output.
    #[test]
    fn the_vectors_of_rfc_5297() {
        let vectors: [(&str, &[&str], &str, &str); 2] = [
            (
                "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
                &["101112131415161718191a1b1c1d1e1f2021222324252627"],
                "112233445566778899aabbccddee",
                "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c",
            ),
            (
                "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
                &[
                    "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
                    "102030405060708090a0",
                    "09f911029d74e35bd84156c5635688c0",
                ],
                "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
                "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d",
            ),
        ];
        for (key, about, plain, output) in vectors {
            let key: [u8; 32] = bytes(key).try_into().unwrap();
            let about: Vec<Vec<u8>> = about.iter().map(|a| bytes(a)).collect();
            let mut text = bytes(plain);
            let tag = Aes128Siv::new(&key.into())
                .encrypt_inout_detached(&about, text.as_mut_slice().into())
                .unwrap();
            assert_eq!([&tag[..], &text].concat(), bytes(output));
        }
    }

    fn cipher(key: &str, secret: &[u8], product: &str, field: &str) -> FieldCipher {
        FieldCipher::new(key, secret, product, field).unwrap()
    }

    fn encrypted(cipher: &FieldCipher, text: &str) -> String {
        match cipher.encrypt(&Out::Text(text), &Scratch::new()) {
            Ok(Out::Text(text)) => text.to_owned(),
            other => panic!("{other:?}"),
        }
    }

    const SECRET: &[u8] = b"sixteen bytes and some";

    #[test]
    fn a_value_is_read_by_its_own_secret_product_field_and_key_alone() {
        let own = cipher("crm", SECRET, "commerce.orders.v1", "address.city");
        let value = encrypted(&own, "York");
        assert_eq!(own.decrypt(&value).as_deref(), Some("York"));
        for other in [
            cipher(
                "crm",
                b"another secret of bytes",
                "commerce.orders.v1",
                "address.city",
            ),
            cipher("crm", SECRET, "commerce.orders.v2", "address.city"),
            cipher("crm", SECRET, "commerce.orders.v1", "address.town"),
            cipher("pii", SECRET, "commerce.orders.v1", "address.city"),
        ] {
            assert_eq!(other.decrypt(&value), None);
            // Renamed, it is still not the other key's.
            let renamed = format!("{}:{}", other.key, FieldCipher::parts(&value).unwrap().1);
            assert_eq!(other.decrypt(&renamed), None);
            assert_ne!(encrypted(&other, "York"), value);
        }
    }

    #[test]
    fn no_altered_value_is_read() {
        let own = cipher("crm", SECRET, "commerce.orders.v1", "email");
        let value = encrypted(&own, "ann@shop.test");
        for at in 4..value.len() {
            let other = if &value[at..=at] == "A" { "B" } else { "A" };
            let altered = format!("{}{other}{}", &value[..at], &value[at + 1..]);
            assert_eq!(own.decrypt(&altered), None, "at {at}");
            assert_eq!(own.decrypt(&value[..at]), None, "up to {at}");
        }
        for text in ["", "crm", "crm:", ":", "ann@shop.test"] {
            assert_eq!(own.decrypt(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_decrypted_is_what_was_encrypted(text in "\\PC{0,200}", more in ".{0,40}") {
            let own = cipher("crm", SECRET, "commerce.orders.v1", "email");
            let value = encrypted(&own, &text);
            let again = cipher("crm", SECRET, "commerce.orders.v1", "email");
            encrypted(&own, &more);
            prop_assert_eq!(&encrypted(&own, &text), &value);
            prop_assert_eq!(&encrypted(&again, &text), &value);
            prop_assert_eq!(again.decrypt(&value), Some(text));
        }
    }
}
