-- Take due envelopes for handling; other workers skip what this transaction holds.
SELECT i.message_id, i.node, i.sender, i.attempts, i.kept_at, a.signed, i.carried_by
FROM inbox AS i
JOIN archive AS a
  ON a.message_id = i.message_id AND a.node = i.node
 AND a.sender = i.sender AND a.kept_at = i.kept_at
WHERE i.state = 'pending' AND i.due_at <= $1
  AND ($3::text[] IS NULL OR i.node = ANY ($3))
ORDER BY i.due_at
LIMIT $2
FOR UPDATE OF i SKIP LOCKED
