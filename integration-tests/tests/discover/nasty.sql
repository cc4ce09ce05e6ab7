-- Names, types and rows that nobody would choose.
CREATE DOMAIN flag AS char(1) CHECK (VALUE IN ('Y', 'N'));
CREATE TYPE mood AS ENUM ('low', 'high');
CREATE TABLE cust_mst (
    cust_no int PRIMARY KEY, cust_nm varchar(60), eml varchar(80), tel varchar(30), typ char(1),
    opn_dt char(8), del_flg flag NOT NULL, rmk text, mail_ok char(1), crd_no varchar(20), pwd text,
    sold_by varchar(20), strt varchar(40), dob date
);
COMMENT ON TABLE cust_mst IS 'Buyers';
COMMENT ON COLUMN cust_mst.typ IS 'P private, B business';
INSERT INTO cust_mst SELECT n, 'Quillon Barnabeth ' || n, 'zz-secret' || n || '@example.test', '+44 20 7946 0958',
    CASE WHEN n % 3 = 0 THEN 'B' ELSE 'P' END, to_char(date '2020-01-01' + n, 'YYYYMMDD'), CASE WHEN n = 9 THEN 'Y' ELSE 'N' END,
    CASE WHEN n = 7 THEN 'secretnote: ring zz-secret@example.test' ELSE 'secretnote' END, CASE WHEN n % 2 = 0 THEN 'Y' ELSE 'N' END,
    '4111 1111 1111 1111', 'hunter2', CASE WHEN n % 2 = 0 THEN 'okonkwo' ELSE 'barnabeth' END, n || ' Sparrow Lane', '1971-05-05'
    FROM generate_series(1, 60) n;
CREATE TABLE cust_addr (cust_no int REFERENCES cust_mst, seq_no int, line_1 varchar(40), PRIMARY KEY (cust_no, seq_no));
INSERT INTO cust_addr SELECT n, 1, n || ' Sparrow Lane' FROM generate_series(1, 30) n;
-- Quoted, accented, blank, colliding names.
CREATE TABLE "Order Positions" (
    "Pos ID" int PRIMARY KEY, "Straße" varchar(10), "is new" char(1) NOT NULL, "in" int, "a""b" char(1), "x.y" int, cust_no int,
    "QTY" int, qty int, "名前" int, "select" text, "# not a comment" text, "k: v" text
);
INSERT INTO "Order Positions" SELECT n, NULL, CASE WHEN n % 2 = 0 THEN 'T' ELSE 'F' END, n, CASE WHEN n % 2 = 0 THEN 'Y' ELSE 'N' END, n, n, n, n, n, NULL, NULL, NULL FROM generate_series(1, 30) n;
CREATE SCHEMA "Üb Er";
CREATE TABLE "Üb Er"."表" ("識別子" int PRIMARY KEY);
CREATE TABLE "dotted.name" (id int PRIMARY KEY);
-- Nothing in it, or nothing to go by.
CREATE TABLE empty_ones (id uuid PRIMARY KEY, st char(1), amt numeric(5,2));
CREATE TABLE no_columns ();
CREATE TABLE orphan (what varchar(20), n int);
INSERT INTO orphan SELECT 'same', 1 FROM generate_series(1, 20);
CREATE TABLE late_key (id int UNIQUE DEFERRABLE, v int);
CREATE TABLE part_key (id int NOT NULL, v int); CREATE UNIQUE INDEX ON part_key (id) WHERE v > 0;
CREATE TABLE all_points (a point, b box);
CREATE UNLOGGED TABLE unlogged_one (id int PRIMARY KEY);
CREATE VIEW open_orders AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW counted AS SELECT 1 AS one;
-- Types.
CREATE TABLE odd_types (
    id bigint PRIMARY KEY, pt point, tags text[], iv interval, net inet, num numeric, big numeric(60,0), neg numeric(3,-2), md mood NOT NULL,
    js jsonb, x xml, b bytea, t time, tz timestamptz, r int4range, o oid, m money, u uuid, f real, d double precision,
    fl flag, gen int GENERATED ALWAYS AS (1 + 1) STORED, one "char", nm name, bits bit(3)
);
INSERT INTO odd_types (id, num, md) SELECT n, n / 8.0, 'low' FROM generate_series(1, 10) n;
-- Dates that are none, and numbers that are.
CREATE TABLE dates (id int PRIMARY KEY, maybe char(8), either varchar(10), num int, stamp varchar(19), hhmm char(5));
INSERT INTO dates SELECT n, CASE WHEN n = 3 THEN '00000000' ELSE to_char(date '2024-01-01' + n, 'YYYYMMDD') END, '0' || 1 + n % 9 || '/02/2024',
    20240100 + n, to_char(timestamp '2024-01-01' + n * interval '1 hour', 'YYYY-MM-DD HH24:MI:SS'), '12:30' FROM generate_series(1, 30) n;
-- An outbox, partitions, an heir.
CREATE TABLE evt (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype text, aggregateid text NOT NULL, type text NOT NULL, payload jsonb);
INSERT INTO evt (aggregatetype, aggregateid, type, payload) SELECT 'order', n, 'OrderPlaced', '{"email": "zz-secret@example.test"}' FROM generate_series(1, 20) n;
CREATE TABLE parted (id int, region char(2), PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('AA');
CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('BB');
INSERT INTO parted SELECT n, 'AA' FROM generate_series(1, 20) n;
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE heir (more int) INHERITS (base);
-- What is true of one is not of all.
COMMENT ON TABLE dates IS E'two\nlines # and "quotes" {{ }} \\ : - ';
COMMENT ON COLUMN dates.num IS '';
CREATE TABLE many_cols (id int PRIMARY KEY);
DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('ALTER TABLE many_cols ADD COLUMN c%s int', i); END LOOP; END $$;
