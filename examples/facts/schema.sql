-- The shop's own: ordr_hdr's log holds whole old rows, which facts need to compare a row with what it was.
\ir ../shop/schema.sql
