-- What lies in quarantine, the latest first; a filter that is null lets everything through. With
-- $8, those that are named are returned even when ended.
SELECT position, node, digest, held_at, reason, explanation, login, routing_key, exchange,
       message_id, kind, sender, size, arrivals, carried_by, whole, ended_at, ended_how
FROM quarantine
WHERE (ended_at IS NULL OR ($8::boolean AND $1::bigint[] IS NOT NULL))
  AND ($1::bigint[] IS NULL OR position = ANY ($1))
  AND ($2::text IS NULL OR node = $2)
  AND ($3::text IS NULL OR reason = $3)
  AND ($4::text IS NULL OR kind = $4 OR kind LIKE $4 || '.v%')
  AND ($5::text IS NULL OR sender = $5)
  AND ($6::timestamptz IS NULL OR held_at < $6)
  AND ($7::timestamptz IS NULL OR held_at >= $7)
ORDER BY position DESC
LIMIT $9
