INSERT INTO parked (message_id, node, sender, parked_at, reason, attempts)
SELECT m.message_id, m.node, m.sender, $6, m.reason, m.attempts
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[])
    AS m (message_id, node, sender, reason, attempts)
ORDER BY m.message_id, m.node, m.sender
ON CONFLICT DO NOTHING
