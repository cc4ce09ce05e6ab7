//! A legacy-looking table, a product over it, and slots that let one backlog be read many times.
//!
//! The slot that is made before the backlog stays where it is; each run streams from a copy.

use std::time::Duration;

use onramp_integration_tests::{Scenario, until};

use super::kafka;

const TABLE: &str = "
CREATE TABLE sal_hdr (
  ord_no   bigint PRIMARY KEY,
  cust_no  integer NOT NULL,
  ord_stat char(1) NOT NULL,
  ord_typ  char(2) NOT NULL,
  ord_dt   char(14) NOT NULL,
  shp_dt   date,
  tot_amt  numeric(12,2) NOT NULL,
  tax_amt  numeric(12,2) NOT NULL,
  ccy      char(3) NOT NULL,
  ext_ref  varchar(20) NOT NULL,
  note     varchar(60),
  upd_ts   timestamptz NOT NULL);
CREATE TABLE wide (id bigint PRIMARY KEY, COLUMNS);
CREATE TABLE sal_live (LIKE sal_hdr INCLUDING ALL);
CREATE TABLE obx (id uuid PRIMARY KEY, kind text NOT NULL, about text NOT NULL, body json NOT NULL,
  at timestamptz NOT NULL);
CREATE TABLE the_end (id integer PRIMARY KEY);
CREATE PUBLICATION bench FOR TABLE sal_hdr, sal_live, wide, obx, the_end WITH (publish_via_partition_root = true);
";

const PRODUCT: &str = r#"
product: SPACE.sales.v1
status: active
owner: { team: sales, contact: sales@shop.test }
description: Every sale of the shop.
kind: entity
source: { table: public.sal_hdr }
key: [order_id]
on_truncate: ignore
fields:
  order_id:    { type: long, from: ord_no }
  customer_id: { type: string, expr: "'CUST-' + string(row.cust_no)" }
  status:
    type: enum
    from: ord_stat
    values: { "N": NEW, "P": PAID, "S": SHIPPED, "X": CANCELLED }
    default: UNKNOWN
    otherwise: fail
  placed_at:   { type: timestamp, from: ord_dt, parse: "%Y%m%d%H%M%S", zone: UTC }
  shipped_on:  { type: date, from: shp_dt, optional: true }
  total:       { type: "decimal(12,2)", from: tot_amt }
  currency:    { type: string, from: ccy }
  reference:   { type: string, from: ext_ref }
  note:        { type: string, from: note, optional: true }
  updated_at:  { type: timestamp, from: upd_ts }
"#;

/// One row of the table as an expression over `n`; about 150 bytes as text.
const ROW: &str = "n, (n % 100000)::int, substr('NPSX', 1 + (n % 4)::int, 1), 'WB',
  to_char(timestamp '2026-01-01' + n * interval '1 second', 'YYYYMMDDHH24MISS'),
  date '2026-01-01' + (n % 300)::int, (n % 1000000)::numeric / 100, (n % 20000)::numeric / 100,
  'EUR', 'REF-' || lpad(n::text, 12, '0'), 'left with the neighbour at number ' || (n % 1000), now()";

/// A row of the outbox as an expression over `n`: an event of the same fields as [`PRODUCT`]'s.
const EVENT: &str = "md5(n::text)::uuid, 'Sold', n::text, json_build_object(
    'order_id', n, 'customer_id', 'CUST-' || (n % 100000), 'status', 'PAID',
    'placed_at', to_char(timestamp '2026-01-01' + n * interval '1 second', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
    'shipped_on', date '2026-01-01' + (n % 300)::int, 'total', (n % 1000000)::numeric / 100,
    'currency', 'EUR', 'reference', 'REF-' || lpad(n::text, 12, '0'),
    'note', 'left with the neighbour at number ' || (n % 1000), 'updated_at', '2026-01-01T00:00:00Z'), now()";

/// The events of [`Stage::end`].
pub(crate) const END: u64 = 2;

/// How many partitions the topics get.
const PARTITIONS: i32 = 6;

/// The slot that is made before anything is written.
const BASE: &str = "base";

/// The table, the files, and what was made on them.
pub(crate) struct Stage {
    /// Database and folder.
    pub(crate) scenario: Scenario,
    runs: u32,
}

/// What one gateway is called and publishes to.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The gateway's name.
    pub(crate) gateway: String,
    /// The slot that it streams from.
    pub(crate) slot: String,
    /// The first product's topic.
    pub(crate) topic: String,
    /// Every product's topic.
    pub(crate) topics: Vec<String>,
}

impl Run {
    /// The topic of its progress.
    pub(crate) fn progress(&self) -> String {
        format!("onramp.{}.progress", self.gateway)
    }
}

impl Stage {
    /// An empty table, a publication over it, and the first slot.
    pub(crate) async fn new() -> Stage {
        let columns: Vec<String> = (1..40).map(|n| format!("c{n} integer NOT NULL")).collect();
        let tables = TABLE.replace("COLUMNS", &columns.join(", "));
        let stage = Stage {
            scenario: Scenario::new(&tables).await,
            runs: 0,
        };
        let name = stage.slot(BASE);
        let create = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')";
        let created = stage.scenario.db.execute(create, &[&name]).await;
        created.expect("the superuser may create a slot");
        stage
    }

    fn slot(&self, suffix: &str) -> String {
        format!("{}_{suffix}", self.scenario.name)
    }

    /// Makes the first slot anew: what was written before is in the tables alone.
    pub(crate) async fn forget_log(&self) {
        let name = self.slot(BASE);
        self.drop_slot(&name).await;
        let create = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')";
        let created = self.scenario.db.execute(create, &[&name]).await;
        created.expect("the superuser may create a slot");
    }

    /// Copies the first slot: what was written since can be read once more.
    pub(crate) async fn copy_slot(&self, suffix: &str) -> String {
        let (base, name) = (self.slot(BASE), self.slot(suffix));
        let copy = "SELECT pg_copy_logical_replication_slot($1, $2)";
        let copied = self.scenario.db.execute(copy, &[&base, &name]).await;
        copied.expect("the superuser may copy a slot");
        name
    }

    /// Drops a slot as soon as nobody has it.
    pub(crate) async fn drop_slot(&self, name: &str) {
        let drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1";
        until("the slot to be free", Duration::from_secs(20), async || {
            self.scenario.db.execute(drop, &[&name]).await.is_ok()
        })
        .await;
    }

    /// The files of a gateway that nobody ran before, with a slot and a topic of its own.
    pub(crate) async fn prepare(&mut self, headers: &str) -> Run {
        let product = PRODUCT.to_owned();
        let more = format!("headers: {headers}\n");
        self.prepare_with(&more, &[product]).await
    }

    /// The same with other lines of the gateway file, and other products; `SPACE` in them stands for
    /// the run's domain.
    pub(crate) async fn prepare_with(&mut self, more: &str, products: &[String]) -> Run {
        self.runs += 1;
        let number = self.runs;
        let slot = self.copy_slot(&format!("r{number}")).await;
        let scenario = &self.scenario;
        let gateway = format!("{}_r{number}", scenario.name);
        let space = format!("{}r{number}", scenario.name);
        let url = scenario.servers.database(&scenario.name);
        let rest = url.split_once('@').expect("the URL has a user").1;
        let file = format!(
            "gateway: {gateway}\nsource:\n  type: postgres\n  url: postgres://postgres@{rest}\n  \
             password: {{ env: TEST_DB_PASSWORD }}\n  tls: {{ mode: disable }}\n  \
             slot: {slot}\n  publication: bench\n\
             kafka:\n  brokers: [\"{kafka}\"]\n  topics: {{ partitions: {PARTITIONS}, replication: 1 }}\n\
             registry: {{ url: \"{registry}\" }}\n{more}\
             products: [products/*.yaml]\n",
            kafka = scenario.servers.kafka,
            registry = scenario.servers.registry,
        );
        scenario.write("onramp.yaml", &file);
        for old in 0..16 {
            // What an earlier run had more of is not there.
            let _ = std::fs::remove_file(scenario.folder.join(format!("products/p{old}.yaml")));
        }
        let mut topics = Vec::new();
        for (number, product) in products.iter().enumerate() {
            let text = product.replace("SPACE", &space);
            let name = text.lines().find_map(|l| l.strip_prefix("product: "));
            topics.push(name.expect("a product has a name").to_owned());
            scenario.write(&format!("products/p{number}.yaml"), &text);
        }
        Run {
            gateway,
            slot,
            topic: topics[0].clone(),
            topics,
        }
    }

    /// A product over the sales table, one of several that differ by their names.
    pub(crate) fn product(number: usize) -> String {
        PRODUCT.replace("SPACE.sales.v1", &format!("SPACE.sales{number}.v1"))
    }

    /// A product over the small table beside it.
    pub(crate) fn live_product() -> String {
        PRODUCT
            .replace("SPACE.sales.v1", "SPACE.live.v1")
            .replace("public.sal_hdr", "public.sal_live")
    }

    /// A product over so many columns of the wide table.
    pub(crate) fn wide(columns: usize) -> String {
        let fields: String = (1..columns)
            .map(|n| format!("  f{n}: {{ type: int, from: c{n} }}\n"))
            .collect();
        format!(
            "product: SPACE.wide.v1\nstatus: active\nowner: {{ team: wide, contact: wide@shop.test }}\n\
             description: Wide rows.\nkind: entity\nsource: {{ table: public.wide }}\nkey: [id]\n\
             fields:\n  id: {{ type: long, from: id }}\n{fields}"
        )
    }

    /// Rows of the wide table.
    pub(crate) async fn fill_wide(&self, rows: u64) {
        let columns: Vec<String> = (1..40).map(|n| format!("(n + {n})::int")).collect();
        let sql = format!(
            "INSERT INTO wide SELECT n, {} FROM generate_series(1, {rows}) AS n; ANALYZE wide",
            columns.join(", ")
        );
        let filled = self.scenario.db.batch_execute(&sql).await;
        filled.expect("the table takes the rows");
    }

    /// Takes the rows away, so that they are in the log alone.
    pub(crate) async fn empty(&self) {
        let emptied = self.scenario.db.batch_execute("TRUNCATE sal_hdr").await;
        emptied.expect("the table may be emptied");
    }

    /// Marks the end of the log: a row that comes and goes, and is in no table afterwards.
    pub(crate) async fn end(&self) {
        for statement in ["INSERT INTO the_end VALUES (1)", "DELETE FROM the_end"] {
            let run = self.scenario.db.execute(statement, &[]).await;
            run.expect("the table takes the row");
        }
    }

    /// The product whose events tell that the log's end is published.
    pub(crate) fn end_product() -> String {
        "product: SPACE.end.v1\nstatus: active\nowner: { team: end, contact: end@shop.test }\n\
         description: The end.\nkind: entity\nsource: { table: public.the_end }\nkey: [id]\n\
         fields:\n  id: { type: int, from: id }\n"
            .to_owned()
    }

    /// Rows of the outbox; the table is empty afterwards.
    pub(crate) async fn fill_outbox(&self, rows: u64, transactions: u64) {
        self.write("obx", EVENT, (0, rows), transactions).await;
        let emptied = self.scenario.db.batch_execute("TRUNCATE obx").await;
        emptied.expect("the table may be emptied");
    }

    /// Writes rows after `from` in as many transactions, committed one by one.
    pub(crate) async fn fill(&self, from: u64, rows: u64, transactions: u64) {
        self.write("sal_hdr", ROW, (from, rows), transactions).await;
    }

    async fn write(&self, table: &str, row: &str, (from, rows): (u64, u64), transactions: u64) {
        let each = (rows / transactions).max(1);
        let sql = format!(
            "DO $$ BEGIN
               FOR t IN 0..{last} LOOP
                 INSERT INTO {table} SELECT {row}
                   FROM generate_series({from} + t * {each} + 1, least({from} + (t + 1) * {each}, {from} + {rows})) AS n;
                 COMMIT;
               END LOOP;
             END $$",
            last = rows.div_ceil(each) - 1,
        );
        let filled = self.scenario.db.batch_execute(&sql).await;
        filled.expect("the table takes the rows");
    }

    /// One row by its number, for a statement of its own.
    pub(crate) fn insert_one() -> String {
        Self::insert_one_into("sal_hdr")
    }

    /// The same into a table of the same columns.
    pub(crate) fn insert_one_into(table: &str) -> String {
        format!("INSERT INTO {table} SELECT {ROW} FROM (SELECT $1::bigint AS n) AS one")
    }

    /// The end of the log as it is on disk.
    pub(crate) async fn end_of_log(&self) -> String {
        let row = self
            .scenario
            .db
            .query_one("SELECT pg_current_wal_flush_lsn()::text", &[])
            .await;
        row.expect("the server knows its log").get(0)
    }

    /// Drops a run's slot and topics.
    pub(crate) async fn discard(&self, run: &Run) {
        self.drop_slot(&run.slot).await;
        let mut topics = run.topics.clone();
        topics.push(run.progress());
        kafka::delete(&self.scenario.servers.kafka, &topics).await;
    }

    /// Drops slots, database and files.
    pub(crate) async fn close(self) {
        self.drop_slot(&self.slot(BASE)).await;
        self.scenario.close().await;
    }
}
