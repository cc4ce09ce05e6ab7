-- The legacy shop: nobody dares to touch it, and few remember what the columns mean.

CREATE TABLE cust_mst (
    cust_no   integer      PRIMARY KEY,
    cust_nm   varchar(60)  NOT NULL,
    cust_typ  char(1)      NOT NULL,               -- P private, B business
    eml_adr   varchar(80),
    tel_no    varchar(20),
    ctry_cd   char(2)      NOT NULL,
    crd_lmt   numeric(10,2),
    opn_dt    char(8)      NOT NULL,               -- YYYYMMDD
    del_flg   char(1)      NOT NULL DEFAULT 'N',   -- rows are never deleted, only flagged
    upd_usr   char(8)
);

CREATE TABLE ordr_hdr (
    ord_no    bigint       PRIMARY KEY,
    cust_no   integer      NOT NULL REFERENCES cust_mst,
    ord_stat  char(1)      NOT NULL,               -- N new, P paid, S shipped, X cancelled
    ord_dt    char(14)     NOT NULL,               -- YYYYMMDDHHMMSS, by the clock on the shop's wall
    dlv_dt    char(8),                             -- YYYYMMDD
    tot_amt   numeric(12,2) NOT NULL,
    ccy_cd    char(3)      NOT NULL DEFAULT 'GBP',
    adr_1     varchar(40)  NOT NULL,
    adr_3     varchar(40)  NOT NULL,
    adr_ctry  char(2)      NOT NULL,
    xprs_flg  char(1),
    rmk       text,                                -- notes of the call centre
    del_flg   char(1)      NOT NULL DEFAULT 'N',
    upd_usr   char(8)
);

-- Before images of whole rows: an order hidden all along is told from one that is hidden now, and
-- long notes are never missing from a change.
ALTER TABLE ordr_hdr REPLICA IDENTITY FULL;

INSERT INTO cust_mst (cust_no, cust_nm, cust_typ, eml_adr, tel_no, ctry_cd, crd_lmt, opn_dt) VALUES
    (501, 'Ada Merriweather',  'P', 'ada@example.test',     '020 7946 0101', 'GB', NULL,    '20190314'),
    (502, 'Kestrel & Sons',    'B', 'orders@kestrel.test',  NULL,            'GB', 5000.00, '20110901'),
    (503, 'Joost van Dam',     'P', NULL,                   '+31 20 555 01', 'NL', NULL,    '20240229');

INSERT INTO ordr_hdr (ord_no, cust_no, ord_stat, ord_dt, dlv_dt, tot_amt, adr_1, adr_3, adr_ctry, xprs_flg, rmk) VALUES
    (7001, 501, 'P', '20260228174500', '20260304',   48.50, '4 Quay Lane',     'Bristol',   'gb', NULL, NULL),
    (7002, 502, 'N', '20260301081210', NULL,       1320.00, 'Unit 7, Mill Rd', 'Leeds',     'gb', 'Y',  'call before delivery'),
    (7003, 503, 'S', '20260301093000', '20260305',   19.99, 'Prinsengracht 9', 'Amsterdam', 'nl', 'N',  NULL),
    (7004, 501, 'N', '20260301120000', NULL,          7.25, '4 Quay Lane',     'Bristol',   'gb', NULL, 'duplicate?');
