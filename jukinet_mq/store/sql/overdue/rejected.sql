-- What keepers have refused although it came as published, the latest first; without what they
-- have taken since, when the cause had passed.
SELECT r.message_id, o.event_id, r.node, r.keeper, o.kind, r.reason, r.received_at
FROM receipt_received AS r
JOIN outbox AS o ON o.message_id = r.message_id AND o.node = r.node
WHERE r.level = 'rejected' AND r.matches AND r.received_at >= $2
  AND ($1::text IS NULL OR r.node = $1)
  AND NOT EXISTS (
      SELECT FROM receipt_received AS later
      WHERE later.message_id = r.message_id AND later.node = r.node AND later.keeper = r.keeper
        AND later.matches
        AND (
            later.level = 'processed'
            OR later.level = 'kept' AND later.received_at >= r.received_at
            AND r.reason <> 'discarded_by_operator'  -- It had been kept before.
        )
  )
ORDER BY r.received_at DESC
LIMIT $3
