SELECT * FROM claim_outbox($1::integer, $2::text[], $3::text[])
