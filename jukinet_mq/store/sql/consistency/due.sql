-- Municipalities with updates of this time that no check was started for since an instant.
SELECT g.node, g.recipient
FROM sequence_given AS g
WHERE g.plane = 'identity' AND ($1::text[] IS NULL OR g.node = ANY ($1))
  AND NOT EXISTS (
      SELECT FROM consistency_check AS c WHERE c.node = g.node AND c.started_at > $2
  )
ORDER BY g.node
LIMIT $3
