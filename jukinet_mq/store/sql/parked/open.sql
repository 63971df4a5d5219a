-- Open parkings in the order of their parking, after one position and up to another. A filter
-- that is null lets everything through.
SELECT p.position, p.message_id, p.node, p.sender, p.parked_at, p.reason, p.attempts,
       i.recipient, i.plane, i.kind, i.version, i.sequence, i.event_id, i.event_time, i.kept_at,
       i.carried_by
FROM parked AS p
JOIN inbox AS i USING (message_id, node, sender)
WHERE p.ended_at IS NULL
  AND ($1::uuid[] IS NULL OR p.message_id = ANY ($1) OR i.event_id = ANY ($1))
  AND ($2::text IS NULL OR p.node = $2)
  AND ($3::text IS NULL OR p.reason = $3)
  AND ($4::text IS NULL OR i.kind = $4)
  AND ($5::text IS NULL OR p.sender = $5)
  AND ($6::timestamptz IS NULL OR p.parked_at < $6)
  AND ($7::timestamptz IS NULL OR p.parked_at >= $7)
  AND p.position > $8 AND p.position <= $9
ORDER BY p.position
LIMIT $10
