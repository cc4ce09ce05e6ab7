-- The company of examples/onboard. Facts compare an order with what it was, so its log has to hold
-- whole old rows.
\ir ../onboard/schema.sql
ALTER TABLE ordr_hdr REPLICA IDENTITY FULL;

-- The depot in York was bought, with a system of its own that counts its parcels from 1, too.
CREATE SCHEMA dpt_2;
CREATE TABLE dpt_2.shpmt (LIKE shpmt INCLUDING ALL);
INSERT INTO dpt_2.shpmt
SELECT n, 7000 + n, 'OWN', NULL, '2025-11-' || lpad((n % 28 + 1)::text, 2, '0') || ' 06:30:00', 'delivered'
FROM generate_series(1, 200) n;
