-- What lies in quarantine, the latest first; a filter that is null lets everything through.
SELECT position, node, digest, held_at, reason, explanation, login, routing_key, exchange,
       message_id, kind, sender, size, arrivals
FROM quarantine
WHERE ($1::bigint IS NULL OR position = $1)
  AND ($2::text IS NULL OR node = $2)
  AND ($3::text IS NULL OR reason = $3)
  AND ($4::text IS NULL OR sender = $4)
  AND ($5::timestamptz IS NULL OR held_at < $5)
ORDER BY position DESC
LIMIT $6
