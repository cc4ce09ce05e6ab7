use onramp_connector::{BeforeImage, Ident};
use proptest::prelude::*;

use super::super::tuple;
use super::*;
use crate::target::TlsMode;

fn target() -> Target {
    Target {
        host: "h".into(),
        port: 1,
        user: "u".into(),
        database: "d".into(),
        password: None,
        tls: TlsMode::Disable,
        ca: None,
        application_name: "a".into(),
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    [b"d", &(payload.len() as u32 + 4).to_be_bytes()[..], payload].concat()
}

fn log(message: &[u8]) -> Vec<u8> {
    frame(&[b"w", &[0; 24][..], message].concat())
}

fn begin(lsn: u64) -> Vec<u8> {
    log(&[b"B", &lsn.to_be_bytes()[..], &[0; 8], &77_u32.to_be_bytes()].concat())
}

fn commit(end: u64) -> Vec<u8> {
    log(&[b"C\0", &[0; 8][..], &end.to_be_bytes(), &[0; 8]].concat())
}

fn keepalive(end: u64, answer: u8) -> Vec<u8> {
    frame(&[b"k", &end.to_be_bytes()[..], &[0; 8], &[answer]].concat())
}

const RELATION: &[u8] = b"R\0\0\0\x05s\0t\0f\0\x01\x01a\0\0\0\0\x17\xff\xff\xff\xff";
const INSERT: &[u8] = b"I\0\0\0\x05N\0\x01n";

struct Case {
    assembler: Assembler,
    batch: Batch,
}

impl Case {
    fn from(lsn: u64) -> Case {
        let assembler = Assembler::new(Lsn(lsn), 1000, Arc::default(), Numbers::default());
        Case {
            assembler,
            batch: Batch::default(),
        }
    }

    fn learn(&mut self, before: BeforeImage) {
        let name = Ident {
            schema: "s".into(),
            table: "t".into(),
        };
        let layout = TableLayout {
            name,
            columns: Vec::new(),
            before,
            read: tuple::read,
        };
        self.assembler.learn(Learnt {
            oid: 5,
            described: RELATION.to_vec(),
            layout,
            partitioned: false,
        });
    }

    fn read(&mut self, frames: &[Vec<u8>]) -> Result<Read, Failure> {
        self.batch.items.clear();
        self.batch.bytes = frames.concat();
        let buffer = self.batch.bytes.clone();
        let read = self.assembler.read(&buffer, &mut self.batch, &target())?;
        self.assembler.finish(&mut self.batch);
        Ok(read)
    }
}

#[test]
fn a_transaction_becomes_items_and_a_position() {
    let mut case = Case::from(0);
    let frames = [begin(16), log(RELATION), log(INSERT), commit(32)];
    let read = case.read(&frames).unwrap();
    assert!(matches!(read.stopped, Some(Stopped::AtRelation(_))));
    assert!(matches!(case.batch.items[..], [Item::Begin(_)]));
    case.learn(BeforeImage::Whole);
    let read = case.read(&frames[1..]).unwrap();
    assert_eq!((read.position, read.stopped), (Some(Lsn(32)), None));
    let id = TableId(0);
    let [Item::Layout(layout), Item::Change(change), Item::Commit] = case.batch.items[..] else {
        panic!("{:?}", case.batch.items)
    };
    assert_eq!((layout, change.table, change.before), (id, id, None));
    assert_eq!(case.batch.slice(change.after.unwrap()), b"\0\x01n");
    // The same description again changes nothing; places are texts behind the frames.
    case.read(&[begin(0x1_0000_00ab), log(RELATION), log(INSERT)])
        .unwrap();
    let [Item::Begin(begin), Item::Change(_)] = case.batch.items[..] else {
        panic!()
    };
    assert_eq!(case.batch.slice(begin.place), b"1/AB");
    assert_eq!(case.batch.slice(begin.id), b"77");
    assert_eq!(begin.number, 77);
    assert_eq!(begin.committed_at_us, 946_684_800_000_000);
}

#[test]
fn what_the_start_holds_already_is_filtered_and_its_descriptions_are_not() {
    let mut case = Case::from(32);
    case.learn(BeforeImage::Whole);
    let truncate = b"T\0\0\0\x01\0\0\0\0\x05";
    let known = [
        begin(16),
        log(RELATION),
        log(INSERT),
        log(truncate),
        commit(32),
    ];
    assert_eq!(case.read(&known).unwrap().position, None);
    assert_eq!(case.batch.items, [Item::Layout(TableId(0))]);
    // A commit record that begins where the position ends is the next transaction.
    let read = case
        .read(&[begin(32), log(INSERT), log(truncate), commit(48)])
        .unwrap();
    assert_eq!((read.position, case.batch.items.len()), (Some(Lsn(48)), 4));
    assert_eq!(case.batch.items[2], Item::Truncate(TableId(0)));
}

#[test]
fn a_keepalive_moves_the_position_between_transactions_alone() {
    let mut case = Case::from(16);
    assert_eq!(case.read(&[keepalive(8, 0)]).unwrap().position, None);
    assert_eq!(
        case.read(&[keepalive(20, 1)]).unwrap().position,
        Some(Lsn(20))
    );
    assert_eq!(
        case.read(&[begin(24), keepalive(99, 0)]).unwrap().position,
        None
    );
    assert_eq!(case.assembler.lag_bytes(), 79);
    assert_eq!(case.read(&[commit(32)]).unwrap().position, Some(Lsn(32)));
    assert_eq!(
        case.read(&[keepalive(99, 0)]).unwrap().position,
        Some(Lsn(99))
    );
}

#[test]
fn a_frame_cut_short_waits_for_its_rest() {
    let mut case = Case::from(0);
    let whole = [begin(16), commit(32)].concat();
    for end in 0..whole.len() {
        let mut case = Case::from(0);
        let read = case.read(&[whole[..end].to_vec()]).unwrap();
        assert!(read.consumed <= end && read.position.is_none(), "{end}");
    }
    assert_eq!(
        case.read(std::slice::from_ref(&whole)).unwrap().consumed,
        whole.len()
    );
}

#[test]
fn what_is_wrong_is_refused_after_what_stands_before_it() {
    let code = |case: &mut Case, frames: &[Vec<u8>]| {
        let failure = case.read(frames).unwrap_err();
        (failure.findings[0].code.id, failure.retry)
    };
    let mut case = Case::from(0);
    for bad in [
        log(b"X"),
        log(INSERT),
        commit(1),
        frame(b"?"),
        b"d\0\0\0\0".to_vec(),
    ] {
        assert_eq!(code(&mut Case::from(0), &[bad]), ("ONR-454", false));
    }
    assert_eq!(
        code(&mut case, &[b"c\0\0\0\x04".to_vec()]),
        ("ONR-452", true)
    );
    let error = b"E\0\0\0\x11C57P01\0Mbye\0\0".to_vec();
    assert_eq!(
        code(&mut case, std::slice::from_ref(&error)),
        ("ONR-453", true)
    );
    let read = case.read(&[begin(16), commit(32), error.clone()]).unwrap();
    assert_eq!(
        read.position,
        Some(Lsn(32)),
        "what is whole is delivered first"
    );
    assert_eq!(code(&mut case, &[error]), ("ONR-453", true));
}

#[test]
fn a_record_beyond_its_limit_is_refused_by_name_before_it_is_whole() {
    let mut case = Case::from(0);
    case.learn(BeforeImage::Whole);
    case.read(&[begin(16), log(RELATION)]).unwrap();
    let large = log(&[INSERT, &[0; 2000][..]].concat());
    assert_eq!(
        case.read(&[large[..NAMED - 1].to_vec()]).unwrap().needed,
        NAMED
    );
    let failure = case.read(&[large[..NAMED].to_vec()]).unwrap_err();
    assert_eq!(failure.findings[0].code.id, "ONR-455");
    assert!(failure.findings[0].message.contains("s.t"));
}

#[test]
fn a_key_where_a_whole_row_was_promised_is_refused() {
    let mut case = Case::from(0);
    case.learn(BeforeImage::Whole);
    case.read(&[begin(16), log(RELATION), log(b"D\0\0\0\x05O\0\x01n")])
        .unwrap();
    assert_eq!(case.batch.items.len(), 3);
    let failure = case.read(&[log(b"D\0\0\0\x05K\0\x01n")]).unwrap_err();
    assert_eq!(
        (failure.findings[0].code.id, failure.retry),
        ("ONR-456", false)
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(
        wild in proptest::collection::vec(any::<u8>(), 0..200),
        kind in proptest::sample::select(b"wk".to_vec()),
        message in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut case = Case::from(0);
        let _ = case.read(std::slice::from_ref(&wild));
        let mut case = Case::from(0);
        case.learn(BeforeImage::Whole);
        let _ = case.read(&[begin(16), log(RELATION), log(&message), frame(&[&[kind], &message[..]].concat()), wild]);
    }
}

fn message(flags: u8, prefix: &str, content: &str) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    let head = [b"M", &[flags][..], &[0; 8], prefix.as_bytes(), &[0]].concat();
    log(&[&head[..], &length, content.as_bytes()].concat())
}

#[test]
fn messages_that_are_wanted_are_rows_and_one_outside_a_transaction_is_refused() {
    let mut case = Case::from(0);
    let wanted = vec!["orders.".to_owned(), "orders.x".to_owned()];
    case.assembler = case.assembler.with_messages(wanted, false);
    let frames = [
        message(0, "users.", "nobody's"),
        begin(16),
        message(1, "users.", "nobody's"),
        message(1, "orders.", "{}"),
        message(1, "orders.x", "[]"),
        commit(32),
    ];
    case.read(&frames).unwrap();
    let told: Vec<String> = case
        .batch
        .items
        .iter()
        .map(|item| match item {
            Item::Layout(id) => format!("{}", case.assembler.tables()[id.0 as usize].name),
            Item::Change(change) => {
                let content = case.batch.slice(change.after.unwrap());
                format!("{} {}", change.table.0, String::from_utf8_lossy(content))
            }
            other => format!("{other:?}").chars().take(5).collect(),
        })
        .collect();
    assert_eq!(
        told,
        [
            "Begin",
            "messages \"orders.\"",
            "0 {}",
            "0 []",
            "messages \"orders.x\"",
            "1 []",
            "Commi"
        ]
    );
    // What the starting position holds already gives nothing.
    let mut known = Case::from(100);
    known.assembler = (known.assembler).with_messages(vec!["orders.".to_owned()], false);
    known
        .read(&[
            message(0, "orders.", "was passed over"),
            begin(16),
            message(1, "orders.", "{}"),
            commit(32),
        ])
        .unwrap();
    assert!(known.batch.items.is_empty());
    let failure = case.read(&[message(0, "orders.", "{}")]).unwrap_err();
    assert_eq!(failure.findings[0].code.id, "ONR-462");
    // Accepted, it gives nothing, and what comes after it goes on.
    let mut accepted = Case::from(0);
    accepted.assembler = (accepted.assembler).with_messages(vec!["orders.".to_owned()], true);
    let frames = [
        message(0, "orders.", "{}"),
        begin(16),
        message(0, "orders.", "{}"),
        message(1, "orders.", "[]"),
        commit(32),
    ];
    accepted.read(&frames).unwrap();
    let items = &accepted.batch.items;
    let changes = items.iter().filter(|i| matches!(i, Item::Change(_)));
    assert_eq!(changes.count(), 1);
}
