-- Lock open deliveries, bytes and all, until the transaction ends: of two operators the second
-- waits, and gets only what the first one has left open. Filters as in held.sql.
SELECT position, node, held_at, reason, login, routing_key, exchange, message_id, kind,
       content_type, carried_by, whole, bytes
FROM quarantine
WHERE ended_at IS NULL
  AND ($1::bigint[] IS NULL OR position = ANY ($1))
  AND ($2::text IS NULL OR node = $2)
  AND ($3::text IS NULL OR reason = $3)
  AND ($4::text IS NULL OR kind = $4 OR kind LIKE $4 || '.v%')
  AND ($5::text IS NULL OR sender = $5)
  AND ($6::timestamptz IS NULL OR held_at < $6)
  AND ($7::timestamptz IS NULL OR held_at >= $7)
  AND position > $8 AND position <= $9
ORDER BY position
LIMIT $10
FOR UPDATE
