-- Parkings and what became of them, the latest end first, open ones before; a filter that is
-- null lets everything through. What became of a replay is what came after it: the next parking
-- of the same envelope, or what the inbox says.
SELECT p.position, p.message_id, p.node, p.sender, i.kind, i.event_id, p.parked_at, p.reason,
       p.attempts, p.ended_at, p.ended_how, p.operator, p.explanation,
       CASE
           WHEN p.ended_at IS NULL THEN 'parked'
           WHEN p.ended_how = 'discarded' THEN 'discarded'
           WHEN n.position IS NOT NULL THEN 'parked_again'
           ELSE i.state
       END AS outcome,
       coalesce(n.parked_at, CASE WHEN p.ended_how = 'replayed' THEN i.handled_at END)
           AS outcome_at,
       coalesce(n.reason, CASE WHEN i.state = 'pending' THEN i.reason END) AS outcome_reason,
       CASE WHEN p.ended_how = 'replayed' THEN coalesce(n.attempts, i.attempts) END AS tries,
       CASE WHEN n.position IS NULL THEN i.due_at END AS due_at
FROM parked AS p
JOIN inbox AS i USING (message_id, node, sender)
LEFT JOIN LATERAL (
    SELECT later.position, later.parked_at, later.reason, later.attempts
    FROM parked AS later
    WHERE (later.message_id, later.node, later.sender) = (p.message_id, p.node, p.sender)
      AND later.position > p.position
    ORDER BY later.position
    LIMIT 1
) AS n ON true
WHERE ($1::uuid[] IS NULL OR p.message_id = ANY ($1) OR i.event_id = ANY ($1))
  AND ($2::text IS NULL OR p.node = $2)
  AND ($3::text IS NULL OR p.reason = $3)
  AND ($4::text IS NULL OR i.kind = $4)
  AND ($5::text IS NULL OR p.sender = $5)
  AND ($6::timestamptz IS NULL OR p.ended_at < $6)
  AND ($7::timestamptz IS NULL OR p.ended_at >= $7)
  AND ($8::text IS NULL OR p.operator = $8)
  AND ($9::bigint[] IS NULL OR p.position = ANY ($9))
  AND ($10::boolean OR p.ended_at IS NOT NULL)
ORDER BY p.ended_at DESC, p.position DESC
LIMIT $11
