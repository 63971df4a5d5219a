-- What is kept and waits for its next try, the next one first; a filter that is null lets
-- everything through.
SELECT message_id, node, sender, recipient, kind, version, event_id, event_time, kept_at,
       attempts, due_at, reason
FROM inbox
WHERE state = 'pending'
  AND ($1::uuid[] IS NULL OR message_id = ANY ($1) OR event_id = ANY ($1))
  AND ($2::text IS NULL OR node = $2)
  AND ($3::text IS NULL OR reason = $3)
  AND ($4::text IS NULL OR kind = $4)
  AND ($5::text IS NULL OR sender = $5)
  AND ($6::timestamptz IS NULL OR kept_at < $6)
  AND ($7::timestamptz IS NULL OR kept_at >= $7)
ORDER BY due_at, message_id
LIMIT $8
