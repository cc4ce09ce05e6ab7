UPDATE cust_mst SET cust_typ = 'B', crd_lmt = 750.00 WHERE cust_no = 501;
UPDATE cust_mst SET del_flg = 'Y' WHERE cust_no = 502;
BEGIN;
INSERT INTO ordr_hdr VALUES (9901, 503, 'N', '20260302091500', NULL, 129.90, 'EUR', 'N', NULL, 'N');
INSERT INTO shpmt VALUES (9901, 9901, 'DHL', 'TRK1', NULL, 'in transit');
COMMIT;
UPDATE ordr_hdr SET ord_stat = 'P' WHERE ord_no = 9901;
UPDATE shpmt SET stat = 'delivered', shp_ts = '2026-03-03 08:00:00' WHERE shp_no = 9901;
UPDATE ordr_hdr SET ord_stat = 'X' WHERE ord_no = 9901;
