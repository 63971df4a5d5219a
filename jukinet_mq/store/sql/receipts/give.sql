-- A receipt once given is never given differently: the first one stands.
INSERT INTO receipt_given (
    message_id, node, sender, level, reason, digest, kept_at, processed_at
)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[],
    $7::timestamptz[], $8::timestamptz[]
)
ORDER BY 1, 2, 3, 4
ON CONFLICT DO NOTHING
