-- Decisions about quarantined deliveries, the latest first; a filter that is null lets all through.
SELECT q.position, q.node, q.reason AS held_for, q.message_id, q.kind, q.sender, q.held_at,
       d.decided_at, d.outcome, d.reason, d.operator, d.explanation
FROM quarantine_decision AS d
JOIN quarantine AS q ON q.position = d.delivery
WHERE ($1::bigint[] IS NULL OR q.position = ANY ($1))
  AND ($2::text IS NULL OR q.node = $2)
  AND ($3::text IS NULL OR q.reason = $3)
  AND ($4::text IS NULL OR q.kind = $4 OR q.kind LIKE $4 || '.v%')
  AND ($5::text IS NULL OR q.sender = $5)
  AND ($6::timestamptz IS NULL OR d.decided_at < $6)
  AND ($7::timestamptz IS NULL OR d.decided_at >= $7)
  AND ($8::text IS NULL OR d.operator = $8)
ORDER BY d.position DESC
LIMIT $9
