use proptest::prelude::*;

use super::*;

const ROW: &[u8] = b"\0\x02\0\0\0\x02hi\xff\xff\xff\xff";

fn frame(tag: u8, data: &[u8]) -> Vec<u8> {
    [&[tag][..], &(data.len() as u32 + 4).to_be_bytes(), data].concat()
}

fn head() -> Vec<u8> {
    [SIGNATURE, &[0; 8]].concat()
}

const MOST: Most = Most {
    rows: 10,
    bytes: 1000,
    record_bytes: 100,
};

/// What a COPY comes to, the bytes coming one by one.
fn take(copy: &[u8], most: Most) -> (State, Rows, Vec<Item>) {
    let (mut rows, mut items, mut have) = (Rows::new(2, most), Vec::new(), 0);
    loop {
        match rows.take(&copy[..have], &mut items) {
            State::Needs(length) if have < copy.len() => {
                assert!(rows.at + length > have, "it has what it needs");
                have += 1;
            }
            state => return (state, rows, items),
        }
    }
}

#[test]
fn rows_are_found_where_they_stand() {
    let first = frame(b'd', &[&head(), ROW].concat());
    let copy = [
        first,
        frame(b'd', ROW),
        frame(b'd', TRAILER),
        frame(b'c', b""),
    ]
    .concat();
    let (state, rows, items) = take(&copy, MOST);
    assert_eq!((state, rows.rows, rows.at), (State::Ended, 2, copy.len()));
    for item in &items {
        let Item::Change(Change {
            after: Some(at), ..
        }) = item
        else {
            panic!("{item:?}")
        };
        assert_eq!(&copy[at.start as usize..at.end as usize], ROW);
    }
    let mut cells = Vec::new();
    read(ROW, &[0, 1], &mut cells).unwrap();
    assert_eq!(cells, [Cell::Raw(b"hi"), Cell::Null]);
    assert_eq!(read(ROW, &[2], &mut cells), Err(Undecodable::Malformed));
}

#[test]
fn no_rows_are_no_trouble() {
    let alone = frame(b'd', &[&head(), TRAILER].concat());
    for copy in [
        [alone, frame(b'c', b"")].concat(),
        [frame(b'd', &head()), frame(b'd', TRAILER), frame(b'c', b"")].concat(),
    ] {
        let (state, rows, items) = take(&copy, MOST);
        assert_eq!((state, rows.rows, items.len()), (State::Ended, 0, 0));
    }
}

#[test]
fn a_limit_ends_it_before_the_row_that_breaks_it() {
    let first = frame(b'd', &[&head(), ROW].concat());
    let more = [first.clone(), frame(b'd', ROW), frame(b'd', ROW)].concat();
    let just = [
        first,
        frame(b'd', ROW),
        frame(b'd', TRAILER),
        frame(b'c', b""),
    ]
    .concat();
    let by_rows = Most { rows: 2, ..MOST };
    let by_bytes = Most {
        bytes: ROW.len() * 2,
        ..MOST
    };
    for most in [by_rows, by_bytes] {
        let (state, rows, _) = take(&more, most);
        assert_eq!(
            (state, rows.rows, rows.bytes),
            (State::Full, 2, ROW.len() * 2)
        );
        assert_eq!(more[rows.at], b'd');
        // Exactly as many as there are: nothing is left.
        assert_eq!(take(&just, most).0, State::Ended);
    }
    // A row that is larger than a chunk comes alone.
    let (state, rows, _) = take(&more, Most { bytes: 1, ..MOST });
    assert_eq!((state, rows.rows), (State::Full, 1));
}

#[test]
fn what_is_too_large_is_known_before_it_is_read() {
    let first = frame(b'd', &[&head(), ROW].concat());
    let large = [&first[..], &[b'd', 0, 0, 1, 0]].concat();
    assert_eq!(take(&large, MOST).0, State::TooLarge(252));
}

#[test]
fn what_is_no_copy_of_these_columns_is_refused() {
    let begun = frame(b'd', &head());
    let unknown = [SIGNATURE, &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
    let short = [SIGNATURE, &[0, 0, 0, 0, 0, 0, 0, 9]].concat();
    for wrong in [
        frame(b'd', b"1\thi\n"),
        frame(b'd', &unknown),
        frame(b'd', &short),
        [&begun[..], &frame(b'd', b"\0\x01\xff\xff\xff\xff")].concat(),
        [&begun[..], &frame(b'd', &[ROW, b"x"].concat())].concat(),
        [&begun[..], &frame(b'd', TRAILER), &frame(b'd', ROW)].concat(),
        vec![b'd', 0, 0, 0, 0],
    ] {
        let state = take(&wrong, MOST).0;
        assert!(
            matches!(state, State::Unreadable(_)),
            "{wrong:?}: {state:?}"
        );
    }
    // Ended before its trailer: the server says why.
    let cut = [&begun[..], &frame(b'E', b"\0")].concat();
    assert_eq!(take(&cut, MOST).0, State::Interrupted);
    let done = [&begun[..], &frame(b'c', b"")].concat();
    assert_eq!(take(&done, MOST).0, State::Interrupted);
}

proptest! {
    #[test]
    fn no_bytes_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        mut wanted in proptest::collection::vec(0_u16..12, 0..5),
    ) {
        wanted.sort_unstable();
        let _ = read(&bytes, &wanted, &mut Vec::new());
        let _ = read(&[b"\0\x09", &bytes[..]].concat(), &wanted, &mut Vec::new());
        let _ = take(&bytes, MOST);
        let _ = take(&[&frame(b'd', &head())[..], b"d\0\0\0\x20", &bytes[..]].concat(), MOST);
    }
}
