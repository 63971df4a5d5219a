-- What was published and relayed, in the order of publishing, after one position and up to another;
-- a filter that is null lets everything through. What waits for the relay goes out anyway.
SELECT position, message_id, event_id, node, recipient, kind, sequence, relayed_at, relays
FROM outbox
WHERE relayed_at IS NOT NULL
  AND ($1::uuid[] IS NULL OR message_id = ANY ($1) OR event_id = ANY ($1))
  AND ($2::text IS NULL OR node = $2)
  AND ($3::text IS NULL OR recipient = $3)
  AND ($4::text IS NULL OR kind = $4)
  AND ($5::timestamptz IS NULL OR relayed_at >= $5)
  AND position > $6 AND position <= $7
ORDER BY position
LIMIT $8
