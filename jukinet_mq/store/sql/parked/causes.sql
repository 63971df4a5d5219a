-- Open parkings by cause, the most frequent first; filters as in open.sql.
SELECT p.reason, i.kind, count(*) AS envelopes, count(DISTINCT p.node) AS nodes,
       min(p.parked_at) AS oldest, max(p.parked_at) AS newest
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
GROUP BY p.reason, i.kind
ORDER BY envelopes DESC, p.reason, i.kind
