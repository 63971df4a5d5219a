-- What waits for its next try, by cause, the most frequent first; filters as in pending.sql.
SELECT reason, kind, count(*) AS envelopes, count(DISTINCT node) AS nodes,
       max(attempts) AS tries, min(due_at) AS next_due, max(due_at) AS last_due
FROM inbox
WHERE state = 'pending'
  AND ($1::uuid[] IS NULL OR message_id = ANY ($1) OR event_id = ANY ($1))
  AND ($2::text IS NULL OR node = $2)
  AND ($3::text IS NULL OR reason = $3)
  AND ($4::text IS NULL OR kind = $4)
  AND ($5::text IS NULL OR sender = $5)
  AND ($6::timestamptz IS NULL OR kept_at < $6)
  AND ($7::timestamptz IS NULL OR kept_at >= $7)
GROUP BY reason, kind
ORDER BY envelopes DESC, reason, kind
