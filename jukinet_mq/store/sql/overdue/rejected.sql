-- What keepers have refused although it came as published, the latest first.
SELECT r.message_id, o.event_id, r.node, r.keeper, o.kind, r.reason, r.received_at
FROM receipt_received AS r
JOIN outbox AS o ON o.message_id = r.message_id AND o.node = r.node
WHERE r.level = 'rejected' AND r.matches AND r.received_at >= $2
  AND ($1::text IS NULL OR r.node = $1)
ORDER BY r.received_at DESC
LIMIT $3
