//! Random changes of a table of every kind that a row can undergo; a seed gives the same ones.

use tokio_postgres::Client;

use crate::history::Dice;

/// The table; its notes are so long, and stored so, that an update leaves them out of the log.
pub const TABLE: &str = "
CREATE TABLE ordr (
  ord_no  bigint PRIMARY KEY,
  cust_no integer,
  stat    char(1),
  gone    boolean NOT NULL DEFAULT false,
  tot_amt numeric(12,2),
  ord_day date,
  upd_ts  timestamptz,
  email   text,
  card    bigint,
  note    text);
ALTER TABLE ordr ALTER COLUMN note SET STORAGE EXTERNAL;
ALTER TABLE ordr REPLICA IDENTITY FULL;
";

/// The fields of an entity over [`TABLE`], and which rows it takes.
pub const FIELDS: &str = r#"
key: [order_id]
on_truncate: ignore
fields:
  order_id: { type: long, from: ord_no }
  label:    { type: string, expr: "'ORD-' + string(row.ord_no)" }
  customer: { type: int, from: cust_no, optional: true }
  status:   { type: enum, from: stat, optional: true, values: { "N": NEW, "P": PAID }, default: UNKNOWN, otherwise: null }
  total:    { type: "decimal(12,2)", from: tot_amt, optional: true }
  placed:   { type: date, from: ord_day, optional: true }
  at:       { type: timestamp, from: upd_ts, optional: true }
  email:    { type: string, from: email, optional: true, classification: personal, protect: { hmac: pii } }
  card:     { type: long, from: card, optional: true, classification: personal, protect: { mask: { keep: 4 } } }
  note:     { type: string, from: note, optional: true }
"#;

/// Keys there may be: so few that they often meet.
const KEYS: u64 = 60;

/// Texts that a careless reader would stumble over.
const TEXTS: [&str; 6] = [
    "''",
    "'a'",
    "'it''s \"é\" 🙂'",
    "E'\\n\\t\\\\'",
    "' '",
    "NULL",
];

/// Runs so many random transactions; some of them, and parts of others, are rolled back.
///
/// # Panics
/// Where the database refuses.
pub async fn run(db: &Client, dice: &mut Dice, transactions: u64) {
    for _ in 0..transactions {
        let most = if dice.below(15) == 0 { 60 } else { 5 };
        let mut sql = "BEGIN;".to_owned();
        for _ in 0..=dice.below(most) {
            let change = statement(dice);
            match dice.below(8) {
                0 => sql.push_str(&format!("SAVEPOINT s; {change} ROLLBACK TO SAVEPOINT s;")),
                _ => sql.push_str(&change),
            }
        }
        sql.push_str(if dice.below(8) == 0 {
            "ROLLBACK"
        } else {
            "COMMIT"
        });
        let ran = db.batch_execute(&sql).await;
        ran.unwrap_or_else(|error| panic!("{error}: {sql}"));
    }
}

/// One change; of none, one or many rows.
fn statement(dice: &mut Dice) -> String {
    let key = dice.below(KEYS);
    let of = format!("WHERE ord_no = {key};");
    match dice.below(14) {
        0..4 => {
            let row = row(dice);
            format!("INSERT INTO ordr VALUES ({key}, {row}) ON CONFLICT (ord_no) DO NOTHING;")
        }
        // The long note, if there is one, is not in the log.
        4 => format!("UPDATE ordr SET stat = {} {of}", status(dice)),
        5 => format!("UPDATE ordr SET tot_amt = tot_amt + 0.01, upd_ts = NULL {of}"),
        6 => format!(
            "UPDATE ordr SET note = {}, email = {} {of}",
            note(dice),
            text(dice)
        ),
        7 => format!("UPDATE ordr SET cust_no = NULL, card = NULL, ord_day = NULL {of}"),
        // A soft delete, or one that is taken back.
        8 | 9 => format!("UPDATE ordr SET gone = NOT gone {of}"),
        10 => {
            let to = dice.below(KEYS);
            format!(
                "UPDATE ordr SET ord_no = {to} WHERE ord_no = {key} \
                 AND NOT EXISTS (SELECT FROM ordr WHERE ord_no = {to});"
            )
        }
        // Another key and gone, or back again, at once.
        11 => {
            let to = dice.below(KEYS);
            format!(
                "UPDATE ordr SET ord_no = {to}, gone = NOT gone WHERE ord_no = {key} \
                 AND NOT EXISTS (SELECT FROM ordr WHERE ord_no = {to});"
            )
        }
        12 => format!("DELETE FROM ordr {of}"),
        _ => format!(
            "UPDATE ordr SET cust_no = {key} WHERE ord_no % 7 = {};",
            key % 7
        ),
    }
}

/// All columns but the key.
fn row(dice: &mut Dice) -> String {
    let number = dice.below(100_000);
    let or_null = |dice: &mut Dice, value: String| match dice.below(4) {
        0 => "NULL".to_owned(),
        _ => value,
    };
    [
        or_null(dice, number.to_string()),
        status(dice),
        (dice.below(4) == 0).to_string(),
        or_null(dice, format!("{}::numeric / 100 - 500", number)),
        or_null(dice, format!("date '1960-01-01' + {number}")),
        or_null(
            dice,
            format!("timestamptz '1969-12-31 23:59:59.999999Z' + {number} * interval '1 hour'"),
        ),
        text(dice),
        or_null(dice, format!("{}", 4_929_000_000_000_000 + number)),
        note(dice),
    ]
    .join(", ")
}

fn status(dice: &mut Dice) -> String {
    let all = ["'N'", "'P'", "'?'", "NULL"];
    all[dice.below(4) as usize].to_owned()
}

fn text(dice: &mut Dice) -> String {
    TEXTS[dice.below(TEXTS.len() as u64) as usize].to_owned()
}

/// Half of them too long to stay in their row.
fn note(dice: &mut Dice) -> String {
    match dice.below(2) {
        0 => text(dice),
        _ => format!("repeat(md5('{}'), 200)", dice.below(1000)),
    }
}
