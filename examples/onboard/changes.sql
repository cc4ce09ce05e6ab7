-- A morning's work by the old application.
UPDATE cust_mst SET cust_typ = 'B', crd_lmt = 750.00 WHERE cust_no = 501;
INSERT INTO cust_mst VALUES (900, 'Noah Lindqvist', 'P', 'noah@example.test', '020 7946 0999', '1 High Street', 'London', 'GB', NULL, '20240229', 'N', 'BATCH');
UPDATE cust_mst SET del_flg = 'Y' WHERE cust_no = 502;
