-- The first answer of a level stands; but what speaks of the bytes that were published takes the
-- place of what did not.
INSERT INTO receipt_received AS r (
    message_id, node, keeper, level, reason, kept_at, processed_at, matches, carried_by, received_at
)
SELECT m.*, $10 FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
    $7::timestamptz[], $8::boolean[], $9::uuid[]
) AS m (message_id, node, keeper, level, reason, kept_at, processed_at, matches, carried_by)
ORDER BY m.message_id, m.node, m.keeper, m.level
ON CONFLICT (message_id, node, keeper, level) DO UPDATE SET
    reason = excluded.reason, kept_at = excluded.kept_at, processed_at = excluded.processed_at,
    matches = true, carried_by = excluded.carried_by, received_at = excluded.received_at
WHERE excluded.matches AND NOT r.matches
