-- A question that is still open; its check must be locked, so that this does not change.
SELECT q.request_id, q.check_id, c.node, q.keeper, q.firsts, q.lasts, q.spelt_out, q.tries
FROM consistency_question AS q
JOIN consistency_check AS c USING (check_id)
WHERE q.request_id = $1 AND q.keeper = $2 AND c.node = $3
  AND q.answered_at IS NULL AND c.ended_at IS NULL
