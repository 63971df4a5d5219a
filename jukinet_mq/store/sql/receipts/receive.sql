INSERT INTO receipt_received (
    message_id, node, keeper, level, reason, kept_at, processed_at, matches, carried_by, received_at
)
SELECT m.*, $10 FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
    $7::timestamptz[], $8::boolean[], $9::uuid[]
) AS m
ON CONFLICT DO NOTHING
