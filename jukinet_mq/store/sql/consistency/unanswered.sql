-- Questions that were asked before an instant and have no answer; other workers skip them.
SELECT q.request_id, q.check_id, c.node, q.keeper, q.firsts, q.lasts, q.spelt_out, q.tries
FROM consistency_question AS q
JOIN consistency_check AS c USING (check_id)
WHERE q.answered_at IS NULL AND q.asked_at < $1 AND c.ended_at IS NULL
  AND ($2::text[] IS NULL OR c.node = ANY ($2))
ORDER BY q.asked_at
LIMIT $3
FOR UPDATE OF c SKIP LOCKED
