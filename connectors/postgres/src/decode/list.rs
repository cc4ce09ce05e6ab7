//! Arrays of one dimension, as `array_send` writes them.
//!
//! A head (dimensions, whether there are nulls, the elements' type), a length and a lower bound for
//! each dimension, then each element's length and bytes; -1 for null.

use onramp_connector::{Cell, Elements, Undecodable, Value};

use super::{scalar, text};

/// PostgreSQL's MAXDIM.
const MAX_DIMENSIONS: u32 = 6;

/// The type of an array type's elements; None for a type that is no array, or one of elements that
/// are not carried.
pub(super) fn element(array: u32) -> Option<u32> {
    Some(match array {
        1000 => 16,   // boolean
        1001 => 17,   // bytea
        1002 => 18,   // "char"
        1003 => 19,   // name
        1016 => 20,   // bigint
        1005 => 21,   // smallint
        1007 => 23,   // integer
        1009 => 25,   // text
        199 => 114,   // json
        3807 => 3802, // jsonb
        1021 => 700,  // real
        1022 => 701,  // double precision
        1014 => 1042, // char(n)
        1015 => 1043, // varchar
        1182 => 1082, // date
        1183 => 1083, // time
        1115 => 1114, // timestamp
        1185 => 1184, // timestamptz
        1231 => 1700, // numeric
        2951 => 2950, // uuid
        _ => return None,
    })
}

/// Decodes an array: its elements are those of the column's type, which was settled when the table
/// was described, so that any other type in the head is an enum, and read as text.
pub(crate) fn list(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    let (dimensions, rest) = number(bytes)?;
    let (_, rest) = number(rest)?;
    let (of, rest) = number(rest)?;
    let decoder = scalar(of, -1).map_or(text as _, |(_, decoder)| decoder);
    match dimensions {
        0 if rest.is_empty() => Ok(Value::Array(Elements::new(rest, 0, next, decoder))),
        1 => {
            let (count, rest) = number(rest)?;
            let (lower, rest) = number(rest)?;
            if lower != 1 {
                return Err(Undecodable::NotAList);
            }
            if i32::try_from(count).is_err() || (count == 0 && !rest.is_empty()) {
                return Err(Undecodable::Malformed);
            }
            Ok(Value::Array(Elements::new(rest, count, next, decoder)))
        }
        2..=MAX_DIMENSIONS => Err(Undecodable::NotAList),
        _ => Err(Undecodable::Malformed),
    }
}

/// The element at the front.
fn next(bytes: &[u8]) -> Result<(Cell<'_>, &[u8]), Undecodable> {
    const NULL: u32 = u32::MAX;
    match number(bytes)? {
        (NULL, rest) => Ok((Cell::Null, rest)),
        (length, rest) => {
            let (value, rest) = rest
                .split_at_checked(length as usize)
                .ok_or(Undecodable::Malformed)?;
            Ok((Cell::Raw(value), rest))
        }
    }
}

fn number(bytes: &[u8]) -> Result<(u32, &[u8]), Undecodable> {
    let (number, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or(Undecodable::Malformed)?;
    Ok((u32::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wire(head: &[i32], elements: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes: Vec<u8> = head.iter().flat_map(|n| n.to_be_bytes()).collect();
        for element in elements {
            let length = element.map_or(-1, |e| e.len() as i32);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(element.unwrap_or_default());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<Value<'_>>, Undecodable> {
        match list(bytes)? {
            Value::Array(elements) => elements.iter().collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_list_is_read_and_nothing_else_is() {
        let two = wire(&[1, 1, 25, 2, 1], &[Some(b"a"), None]);
        assert_eq!(read(&two), Ok(vec![Value::Text("a"), Value::Null]));
        assert_eq!(read(&wire(&[0, 0, 23], &[])), Ok(vec![]));
        // Of a type that is not listed: an enum's labels.
        let label = wire(&[1, 0, 70_000, 1, 1], &[Some(b"sad")]);
        assert_eq!(read(&label), Ok(vec![Value::Text("sad")]));
        let from_zero = wire(&[1, 0, 23, 1, 0], &[Some(&[0, 0, 0, 1])]);
        assert_eq!(read(&from_zero), Err(Undecodable::NotAList));
        let square = wire(&[2, 0, 25, 1, 1, 1, 1], &[Some(b"a")]);
        assert_eq!(read(&square), Err(Undecodable::NotAList));
        for end in 0..two.len() {
            assert_eq!(read(&two[..end]), Err(Undecodable::Malformed), "{end}");
        }
        let more = [&two[..], b"x"].concat();
        assert_eq!(read(&more), Err(Undecodable::Malformed));
        assert_eq!(read(&wire(&[7, 0, 25], &[])), Err(Undecodable::Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            head in proptest::collection::vec(prop_oneof![0_i32..3, any::<i32>()], 0..6),
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut wire = wire(&head, &[]);
            wire.extend(bytes);
            let _ = read(&wire);
        }
    }
}
