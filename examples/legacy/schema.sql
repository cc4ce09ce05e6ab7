-- The company of examples/onboard. Facts compare an order with what it was, so its log has to hold
-- whole old rows.
\ir ../onboard/schema.sql
ALTER TABLE ordr_hdr REPLICA IDENTITY FULL;
