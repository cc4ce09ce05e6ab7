//! pgoutput's TupleData: a count of columns, then a tag and a value for each.

use onramp_connector::{Cell, Undecodable};

/// One column at the front of `rest`, and what follows it.
#[inline]
fn column(rest: &[u8]) -> Result<(u8, &[u8], &[u8]), Undecodable> {
    let (tag, rest) = rest.split_first().ok_or(Undecodable::Malformed)?;
    if matches!(tag, b'n' | b'u') {
        return Ok((*tag, &[], rest));
    }
    let (length, rest) = rest
        .split_first_chunk::<4>()
        .ok_or(Undecodable::Malformed)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (value, rest) = rest
        .split_at_checked(length)
        .ok_or(Undecodable::Malformed)?;
    Ok((*tag, value, rest))
}

/// Finds the wanted columns. A value in text form is refused: every type that is carried has a
/// send function, and its decoder reads what that writes.
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
            rest = column(rest)?.2;
            place += 1;
        }
        let (tag, value, after) = column(rest)?;
        out.push(match tag {
            b'n' => Cell::Null,
            b'u' => Cell::Unchanged,
            b'b' => Cell::Raw(value),
            _ => return Err(Undecodable::Malformed),
        });
        rest = after;
        place += 1;
    }
    Ok(())
}

/// How many bytes the tuple at the front takes.
pub(super) fn length(bytes: &[u8]) -> Result<usize, Undecodable> {
    let (count, mut rest) = bytes
        .split_first_chunk::<2>()
        .ok_or(Undecodable::Malformed)?;
    for _ in 0..u16::from_be_bytes(*count) {
        rest = column(rest)?.2;
    }
    Ok(bytes.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROW: &[u8] = b"\0\x04b\0\0\0\x02hinub\0\0\0\0";

    #[test]
    fn wanted_columns_are_found() {
        let mut cells = Vec::new();
        read(ROW, &[0, 1, 2, 3], &mut cells).unwrap();
        assert_eq!(
            cells,
            [
                Cell::Raw(b"hi"),
                Cell::Null,
                Cell::Unchanged,
                Cell::Raw(b"")
            ]
        );
        cells.clear();
        read(ROW, &[2], &mut cells).unwrap();
        assert_eq!(cells, [Cell::Unchanged]);
        assert_eq!(length(&[ROW, b"more"].concat()), Ok(ROW.len()));
    }

    #[test]
    fn what_is_not_there_is_malformed() {
        let mut cells = Vec::new();
        assert_eq!(read(ROW, &[4], &mut cells), Err(Undecodable::Malformed));
        assert_eq!(
            read(b"\0\x01t\0\0\0\x011", &[0], &mut cells),
            Err(Undecodable::Malformed)
        );
        for end in 0..ROW.len() {
            assert_eq!(length(&ROW[..end]), Err(Undecodable::Malformed), "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            mut wanted in proptest::collection::vec(0_u16..12, 0..5),
        ) {
            wanted.sort_unstable();
            let _ = length(&bytes);
            let _ = read(&bytes, &wanted, &mut Vec::new());
            let _ = read(&[b"\0\x09", &bytes[..]].concat(), &wanted, &mut Vec::new());
        }
    }
}
