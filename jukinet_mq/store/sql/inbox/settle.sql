-- Write down how handling ended, for many at once.
UPDATE inbox AS i
SET state = m.state, attempts = m.attempts, due_at = m.due_at, reason = m.reason,
    handled_at = CASE WHEN m.state = 'done' THEN $8::timestamptz END
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::timestamptz[], $7::text[]
) AS m (message_id, node, sender, state, attempts, due_at, reason)
WHERE (i.message_id, i.node, i.sender) = (m.message_id, m.node, m.sender)
