-- A morning at the shop, as its old application writes it. 9 events follow from it.

-- A new customer and her first order, in one transaction: two events, two topics, one Kafka transaction.
BEGIN;
INSERT INTO cust_mst (cust_no, cust_nm, cust_typ, eml_adr, ctry_cd, opn_dt)
    VALUES (504, 'Marisol Quiñones', 'P', 'marisol@example.test', 'ES', '20260302');
INSERT INTO ordr_hdr (ord_no, cust_no, ord_stat, ord_dt, tot_amt, ccy_cd, adr_1, adr_3, adr_ctry, xprs_flg)
    VALUES (7005, 504, 'N', '20260302091500', 129.90, 'EUR', 'Calle Mayor 3', 'Sevilla', 'es', 'Y');
COMMIT;

-- It is paid, then shipped.
UPDATE ordr_hdr SET ord_stat = 'P' WHERE ord_no = 7005;
UPDATE ordr_hdr SET ord_stat = 'S', dlv_dt = '20260304' WHERE ord_no = 7005;

-- The clerk thinks better of it: nothing is published.
BEGIN;
UPDATE ordr_hdr SET tot_amt = 0 WHERE ord_no = 7002;
ROLLBACK;

-- A discount.
UPDATE ordr_hdr SET tot_amt = 1188.00 WHERE ord_no = 7002;

-- A soft delete, which the legacy application calls an update: a tombstone.
UPDATE ordr_hdr SET del_flg = 'Y' WHERE ord_no = 7004;

-- And what is done to a deleted row concerns nobody: nothing is published.
UPDATE ordr_hdr SET rmk = 'was a duplicate' WHERE ord_no = 7004;

-- A real delete, by a DBA: a tombstone too.
DELETE FROM ordr_hdr WHERE ord_no = 7003;

-- One statement, two customers: two events of one transaction.
UPDATE cust_mst SET crd_lmt = 250.00 WHERE cust_typ = 'P' AND cust_no IN (501, 503);
