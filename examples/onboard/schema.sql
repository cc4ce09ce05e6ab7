-- The database of Kestrel & Sons, wholesalers of hardware: thirty tables from thirty years, by many
-- hands. Nobody knows any more what all of it means. Everything in it is made up.

-- Who buys and who sells.
CREATE TABLE cust_mst (
    cust_no   integer      PRIMARY KEY,
    cust_nm   varchar(60)  NOT NULL,
    cust_typ  char(1)      NOT NULL,
    eml_adr   varchar(80),
    tel_no    varchar(20),
    adr_1     varchar(40),
    adr_3     varchar(40),
    ctry_cd   char(2)      NOT NULL,
    crd_lmt   numeric(10,2),
    opn_dt    char(8)      NOT NULL,
    del_flg   char(1)      NOT NULL DEFAULT 'N',
    upd_usr   char(8)
);
COMMENT ON TABLE cust_mst IS 'Customers, private and business.';
COMMENT ON COLUMN cust_mst.cust_typ IS 'P private, B business';
CREATE TABLE cust_cntc (
    cust_no   integer      NOT NULL REFERENCES cust_mst,
    seq_no    smallint     NOT NULL,
    fst_nm    varchar(30),
    lst_nm    varchar(30),
    mobile    varchar(20),
    brth_dt   char(10),
    mktg_yn   char(1),
    PRIMARY KEY (cust_no, seq_no)
);
CREATE TABLE "SUPPLIER" (
    "SuppID"    integer      PRIMARY KEY,
    "SuppName"  varchar(60)  NOT NULL,
    "IBAN"      varchar(34),
    "PayTerms"  smallint     NOT NULL,
    "IsActive"  smallint     NOT NULL DEFAULT 1
);

-- What is sold.
CREATE TABLE art_mst (
    art_cd    char(8)      PRIMARY KEY,
    art_desc  varchar(80)  NOT NULL,
    art_grp   char(3)      NOT NULL,
    unit_cd   char(2)      NOT NULL,
    wgt_kg    numeric,
    lst_prc   numeric(12,4) NOT NULL,
    supp_id   integer      REFERENCES "SUPPLIER",
    discd_dt  date,
    pic       bytea,
    srch      tsvector
);
CREATE TABLE art_grp (grp_cd char(3) PRIMARY KEY, grp_desc varchar(40) NOT NULL);
CREATE TABLE art_prc (
    art_cd    char(8)      NOT NULL REFERENCES art_mst,
    vld_from  char(8)      NOT NULL,
    prc       numeric(12,4) NOT NULL,
    ccy       char(3)      NOT NULL,
    PRIMARY KEY (art_cd, vld_from)
);
CREATE TABLE unit_cd (cd char(2) PRIMARY KEY, txt varchar(20));

-- Orders, from quotation to return.
CREATE TABLE ordr_hdr (
    ord_no    bigint       PRIMARY KEY,
    cust_no   integer      NOT NULL REFERENCES cust_mst,
    ord_stat  char(1)      NOT NULL CHECK (ord_stat IN ('N', 'P', 'S', 'X')),
    ord_dt    char(14)     NOT NULL,
    dlv_dt    char(8),
    tot_amt   numeric(12,2) NOT NULL,
    ccy_cd    char(3)      NOT NULL DEFAULT 'GBP',
    xprs_flg  char(1),
    rmk       varchar(200),
    del_flg   char(1)      NOT NULL DEFAULT 'N'
);
COMMENT ON COLUMN ordr_hdr.ord_stat IS 'N new, P paid, S shipped, X cancelled';
CREATE TABLE ordr_lin (
    ord_no    bigint       NOT NULL REFERENCES ordr_hdr,
    lin_no    smallint     NOT NULL,
    art_cd    char(8)      NOT NULL,
    qty       integer      NOT NULL,
    unit_prc  numeric(12,4) NOT NULL,
    disc_pct  numeric(5,2),
    PRIMARY KEY (ord_no, lin_no)
);
CREATE TABLE ordr_stat_hist (
    ord_no    bigint       NOT NULL,
    chg_ts    timestamp    NOT NULL,
    old_stat  char(1),
    new_stat  char(1)      NOT NULL,
    usr_id    char(8)
);
CREATE TABLE quot_hdr (
    quot_no   serial       PRIMARY KEY,
    cust_no   integer      NOT NULL,
    vld_dt    varchar(10)  NOT NULL,
    accptd    char(1)
);
CREATE TABLE quot_lin (
    quot_no   integer      NOT NULL,
    lin_no    smallint     NOT NULL,
    art_cd    char(8)      NOT NULL,
    qty       integer      NOT NULL,
    PRIMARY KEY (quot_no, lin_no)
);
CREATE TABLE rtn_hdr (
    rtn_no    integer      PRIMARY KEY,
    ord_no    bigint       NOT NULL,
    rsn_cd    char(2)      NOT NULL,
    rtn_dt    date         NOT NULL,
    rfnd_amt  numeric(12,2)
);
CREATE TABLE rtn_rsn (rsn_cd char(2) PRIMARY KEY, rsn_txt varchar(40) NOT NULL);

-- Money.
CREATE TABLE inv_hdr (
    inv_no    char(10)     PRIMARY KEY,
    ord_no    bigint       NOT NULL REFERENCES ordr_hdr,
    inv_dt    date         NOT NULL,
    due_dt    date         NOT NULL,
    net_amt   numeric(12,2) NOT NULL,
    vat_amt   numeric(12,2) NOT NULL,
    paid_flg  char(1)      NOT NULL
);
CREATE TABLE pymt (
    pymt_id   uuid         PRIMARY KEY,
    inv_no    char(10)     NOT NULL REFERENCES inv_hdr,
    pymt_mthd varchar(10)  NOT NULL,
    amt       numeric(12,2) NOT NULL,
    crd_no    varchar(20),
    rcvd_at   timestamptz  NOT NULL
);
CREATE TABLE gl_bkg (
    bkg_no    bigint       PRIMARY KEY,
    acct_no   char(6)      NOT NULL,
    bkg_dt    integer      NOT NULL,
    dbt_amt   numeric(15,2),
    crd_amt   numeric(15,2),
    txt       varchar(60)
);
CREATE TABLE acct_pln (acct_no char(6) PRIMARY KEY, acct_desc varchar(50) NOT NULL, acct_typ char(1) NOT NULL);
CREATE TABLE fx_rate (ccy char(3) NOT NULL, rate_dt char(8) NOT NULL, rate double precision NOT NULL, PRIMARY KEY (ccy, rate_dt));
CREATE TABLE ctry (ctry_cd char(2) PRIMARY KEY, ctry_nm varchar(40) NOT NULL, eu_flg char(1) NOT NULL);

-- Goods on their way.
CREATE TABLE whs (whs_cd char(3) PRIMARY KEY, whs_nm varchar(40) NOT NULL, city varchar(40), open_hrs tsrange);
CREATE TABLE whs_stk (
    whs_cd    char(3)      NOT NULL REFERENCES whs,
    art_cd    char(8)      NOT NULL REFERENCES art_mst,
    qty_oh    integer      NOT NULL,
    qty_rsv   integer      NOT NULL DEFAULT 0,
    bin_loc   varchar(10),
    lst_cnt   varchar(8),
    PRIMARY KEY (whs_cd, art_cd)
);
CREATE TABLE shpmt (
    shp_no    bigint       PRIMARY KEY,
    ord_no    bigint       NOT NULL REFERENCES ordr_hdr,
    carr      varchar(10)  NOT NULL,
    trck_no   varchar(30),
    shp_ts    varchar(19),
    stat      varchar(12)  NOT NULL
);
CREATE TABLE carr_tbl (carr varchar(10) PRIMARY KEY, carr_nm varchar(40), url varchar(80));

-- Who works here, and how.
CREATE TABLE emp (
    emp_no    integer      PRIMARY KEY,
    fst_nm    varchar(30)  NOT NULL,
    lst_nm    varchar(30)  NOT NULL,
    dept      char(4)      NOT NULL,
    salary    numeric(10,2),
    brth_dt   date,
    login     varchar(12),
    is_mgr    boolean      NOT NULL DEFAULT false
);
CREATE TABLE usr_sess (sess uuid PRIMARY KEY, login varchar(12) NOT NULL, ip varchar(45), tok varchar(64), exp_at timestamptz NOT NULL);

-- And what somebody once needed.
CREATE TABLE "tblParam" ("Param Name" varchar(40) PRIMARY KEY, "Value" varchar(200), "DeletedAt" timestamp);
CREATE TABLE evt_out (
    evt_id    bigserial    PRIMARY KEY,
    agg_id    varchar(40)  NOT NULL,
    evt_type  varchar(40)  NOT NULL,
    payload   jsonb        NOT NULL,
    crt_ts    timestamptz  NOT NULL DEFAULT now(),
    event_type varchar(40) GENERATED ALWAYS AS (evt_type) STORED
);
CREATE TABLE imp_log (at timestamp NOT NULL, what text, n integer);
CREATE TABLE tmp_fix_2009 (c1 varchar(20), c2 varchar(20), c3 integer);

-- Rows.
INSERT INTO ctry VALUES ('GB', 'United Kingdom', 'N'), ('NL', 'Netherlands', 'Y'), ('DE', 'Germany', 'Y'), ('FR', 'France', 'Y'), ('IE', 'Ireland', 'Y'), ('CH', 'Switzerland', 'N');
INSERT INTO cust_mst SELECT 500 + n,
    (ARRAY['Ada','James','Maria','Peter','Laura','Thomas'])[1 + n % 6] || ' ' || (ARRAY['Merriweather','Okafor','van Dam','Lindqvist'])[1 + n % 4],
    CASE WHEN n % 3 = 0 THEN 'B' ELSE 'P' END, CASE WHEN n % 9 > 0 THEN 'customer' || n || '@example.test' END,
    CASE WHEN n % 7 > 0 THEN '020 7946 0' || lpad((n % 1000)::text, 3, '0') END, n || ' High Street', 'London',
    (ARRAY['GB','NL','DE','IE'])[1 + n % 4], CASE WHEN n % 5 = 0 THEN n * 10 END,
    to_char(date '2001-01-01' + n * 7, 'YYYYMMDD'), CASE WHEN n % 25 = 0 THEN 'Y' ELSE 'N' END, 'BATCH' FROM generate_series(1, 300) n;
INSERT INTO cust_cntc SELECT 500 + n, 1, 'Jane', 'Doe' || n, '07700 900' || lpad(n::text, 3, '0'), to_char(date '1960-01-01' + n * 40, 'DD.MM.YYYY'), CASE WHEN n % 2 = 0 THEN 'J' ELSE 'N' END FROM generate_series(1, 120) n;
INSERT INTO "SUPPLIER" SELECT n, 'Supplier ' || n, 'GB82WEST12345698765432', (ARRAY[14,30,60])[1 + n % 3], (n % 8 <> 0)::int FROM generate_series(1, 40) n;
INSERT INTO art_grp VALUES ('BLT', 'Bolts'), ('NUT', 'Nuts'), ('SCR', 'Screws'), ('TLS', 'Tools');
INSERT INTO unit_cd VALUES ('PC', 'piece'), ('BX', 'box'), ('KG', 'kilogram');
INSERT INTO art_mst SELECT 'A' || lpad(n::text, 6, '0'), 'Hex bolt M' || n, (ARRAY['BLT','NUT','SCR','TLS'])[1 + n % 4], (ARRAY['PC','BX','KG'])[1 + n % 3], n * 0.0125, n * 1.5, 1 + n % 40, NULL, NULL, to_tsvector('simple', 'bolt') FROM generate_series(1, 400) n;
INSERT INTO art_prc SELECT 'A' || lpad(n::text, 6, '0'), y || '0101', n * 1.4, 'GBP' FROM generate_series(1, 400) n, generate_series(2019, 2021) y;
INSERT INTO ordr_hdr SELECT 7000 + n, 501 + n % 300, (ARRAY['N','P','P','S','S','S','X'])[1 + n % 7], to_char(timestamp '2024-01-01 08:00:00' + n * interval '37 minutes', 'YYYYMMDDHH24MISS'),
    CASE WHEN n % 50 = 0 THEN '00000000' WHEN n % 3 > 0 THEN to_char(date '2024-01-05' + n % 400, 'YYYYMMDD') END, n * 3.25, CASE WHEN n % 20 = 0 THEN 'EUR' ELSE 'GBP' END,
    CASE n % 10 WHEN 0 THEN 'Y' WHEN 1 THEN NULL ELSE 'N' END, CASE WHEN n % 40 = 0 THEN 'call ada' || n || '@example.test before delivery' END, CASE WHEN n % 60 = 0 THEN 'Y' ELSE 'N' END FROM generate_series(1, 2500) n;
INSERT INTO ordr_lin SELECT 7000 + n, l, 'A' || lpad((1 + (n * l) % 400)::text, 6, '0'), 1 + (n * l) % 20, l * 1.5, CASE WHEN n % 6 = 0 THEN 5 END FROM generate_series(1, 2500) n, generate_series(1, 3) l;
INSERT INTO ordr_stat_hist SELECT 7000 + n, timestamp '2024-01-01' + n * interval '1 hour', 'N', 'P', 'BATCH' FROM generate_series(1, 900) n;
INSERT INTO quot_hdr (cust_no, vld_dt, accptd) SELECT 501 + n % 300, to_char(date '2024-01-13' + n, 'DD/MM/YYYY'), CASE WHEN n % 2 = 0 THEN 'X' ELSE '' END FROM generate_series(1, 200) n;
INSERT INTO quot_lin SELECT n, 1, 'A000001', n FROM generate_series(1, 200) n;
INSERT INTO rtn_rsn VALUES ('DM', 'damaged'), ('WR', 'wrong article'), ('LT', 'late');
INSERT INTO rtn_hdr SELECT n, 7000 + n * 10, (ARRAY['DM','WR','LT'])[1 + n % 3], date '2024-03-01' + n, n * 2 FROM generate_series(1, 80) n;
INSERT INTO inv_hdr SELECT 'I' || lpad(n::text, 8, '0'), 7000 + n, date '2024-01-02' + n % 300, date '2024-02-02' + n % 300, n * 3, n * 0.6, CASE WHEN n % 4 = 0 THEN 'N' ELSE 'Y' END FROM generate_series(1, 1800) n;
INSERT INTO pymt SELECT gen_random_uuid(), 'I' || lpad(n::text, 8, '0'), (ARRAY['CARD','BACS','CASH'])[1 + n % 3], n * 3.6, CASE WHEN n % 3 = 0 THEN '4111111111111111' END, timestamptz '2024-02-01' + n * interval '1 hour' FROM generate_series(1, 1200) n;
INSERT INTO acct_pln VALUES ('001000', 'Cash', 'A'), ('001200', 'Receivables', 'A'), ('004000', 'Sales', 'R'), ('006000', 'Freight', 'E');
INSERT INTO gl_bkg SELECT n, (ARRAY['001000','001200','004000','006000'])[1 + n % 4], to_char(date '2024-01-01' + n % 365, 'YYYYMMDD')::int, CASE WHEN n % 2 = 0 THEN n END, CASE WHEN n % 2 = 1 THEN n END, 'booking' FROM generate_series(1, 3000) n;
INSERT INTO fx_rate SELECT 'EUR', to_char(date '2024-01-01' + n, 'YYYYMMDD'), 0.85 + n * 0.0001 FROM generate_series(0, 200) n;
INSERT INTO whs VALUES ('LON', 'London east', 'London', NULL), ('ROT', 'Europoort', 'Rotterdam', NULL);
INSERT INTO whs_stk SELECT w, 'A' || lpad(n::text, 6, '0'), n, n % 5, 'R' || n % 30, to_char(date '2023-12-31' - n % 90, 'YYYYMMDD') FROM generate_series(1, 400) n, unnest(ARRAY['LON','ROT']) w;
INSERT INTO carr_tbl VALUES ('DHL', 'DHL', 'https://dhl.example.test'), ('UPS', 'UPS', NULL), ('OWN', 'Own van', NULL);
INSERT INTO shpmt SELECT n, 7000 + n, (ARRAY['DHL','UPS','OWN'])[1 + n % 3], 'TRK' || n * 7919, to_char(timestamp '2024-01-03' + n * interval '37 minutes', 'YYYY-MM-DD HH24:MI:SS'), (ARRAY['in transit','delivered','lost'])[1 + n % 3] FROM generate_series(1, 1500) n;
INSERT INTO emp SELECT n, (ARRAY['Ruth','Simon','Nina','Oscar'])[1 + n % 4], 'Smith' || n, (ARRAY['SALE','WHSE','FINC'])[1 + n % 3], 24000 + n * 100, date '1970-01-01' + n * 100, 'emp' || n, n % 9 = 0 FROM generate_series(1, 60) n;
INSERT INTO usr_sess SELECT gen_random_uuid(), 'emp' || n, '10.0.0.' || n, md5(n::text), now() FROM generate_series(1, 30) n;
INSERT INTO "tblParam" VALUES ('vat.rate', '20', NULL), ('smtp.host', 'mail.example.test', NULL), ('fax.on', '0', '2015-01-01');
INSERT INTO evt_out (agg_id, evt_type, payload) SELECT 'order-' || n, (ARRAY['OrderPlaced','OrderShipped'])[1 + n % 2], '{}' FROM generate_series(1, 60) n;
INSERT INTO imp_log SELECT timestamp '2024-01-01' + n % 50 * interval '1 day', 'import ok', n % 9 FROM generate_series(1, 200) n;
INSERT INTO tmp_fix_2009 VALUES ('a', 'b', 1), ('a', 'b', 1);
SET client_min_messages = error; -- of the server's own tables only a superuser may count the rows
ANALYZE;
