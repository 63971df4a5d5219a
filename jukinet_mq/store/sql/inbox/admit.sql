-- Note what this node has seen; returns only what is news. A repetition returns nothing.
-- Noted as done: the few whose handling ends otherwise are corrected in the same transaction.
INSERT INTO inbox (
    message_id, node, sender, recipient, plane, kind, version, sequence, event_id, event_time,
    digest, key_id, carried_by, kept_at, handled_at, state, attempts
)
SELECT m.*, $14, $14, 'done', 1
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::smallint[],
    $8::bigint[], $9::uuid[], $10::timestamptz[], $11::bytea[], $12::text[], $13::uuid[]
) AS m
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
RETURNING message_id, node, sender
