//! RFC 4648, section 5, without padding: how bytes stand in a text.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The length of the text of so many bytes.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    let tail = match bytes % 3 {
        0 => 0,
        tail => tail + 1,
    };
    bytes / 3 * 4 + tail
}

/// Writes the text of the last `bytes` bytes of `room` over the whole of it, which is as long as
/// [`encoded_len`] says: what is written never overtakes what is read.
pub(crate) fn encode_in_place(room: &mut [u8], bytes: usize) {
    let sign = |bits: u32| ALPHABET[(bits & 63) as usize];
    let (mut to, mut from) = (0, room.len() - bytes);
    while let [a, b, c, ..] = room[from..] {
        let bits = u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c);
        let signs = [bits >> 18, bits >> 12, bits >> 6, bits].map(sign);
        room[to..to + 4].copy_from_slice(&signs);
        to += 4;
        from += 3;
    }
    let bits = match room[from..] {
        [a, b] => u32::from(a) << 16 | u32::from(b) << 8,
        [a] => u32::from(a) << 16,
        _ => return,
    };
    for (n, place) in room[to..].iter_mut().enumerate() {
        *place = sign(bits >> (18 - 6 * n));
    }
}

/// The bytes of a text; None where it is not the one text of any bytes.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for signs in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for sign in signs {
            bits = bits << 6 | ALPHABET.iter().position(|a| a == sign)? as u32;
        }
        bits <<= 6 * (4 - signs.len());
        let bytes = signs.len() * 6 / 8;
        let all = bits.to_be_bytes();
        if signs.len() == 1 || all[1 + bytes..].iter().any(|b| *b != 0) {
            return None;
        }
        out.extend_from_slice(&all[1..1 + bytes]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(bytes: &[u8]) -> String {
        let mut room = vec![0; encoded_len(bytes.len())];
        let at = room.len() - bytes.len();
        room[at..].copy_from_slice(bytes);
        encode_in_place(&mut room, bytes.len());
        String::from_utf8(room).unwrap()
    }

    /// RFC 4648, section 10, and the two signs that are base64url's own.
    #[test]
    fn as_the_rfc_has_it() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (b"fooba", "Zm9vYmE"),
            (b"foobar", "Zm9vYmFy"),
            (&[0xfb, 0xff], "-_8"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).unwrap(), bytes);
        }
    }

    #[test]
    fn no_second_text_gives_the_same_bytes() {
        for text in [
            "Z", "Zh", "Zm9", "Zm9v=", "Zm9vYg==", "Zm+v", "Zm v", "Zm9vZ",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
