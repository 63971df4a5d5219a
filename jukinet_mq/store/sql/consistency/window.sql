-- The numbers that a municipality published in a time and that have all left it before $5, so
-- that its keepers must have them by now; nulls where there are none.
SELECT min(o.sequence) AS first, max(o.sequence) AS last
FROM outbox AS o
WHERE o.node = $1 AND o.recipient = $2 AND o.plane = 'identity'
  AND o.published_at >= $3 AND o.published_at < $4
  AND o.sequence < coalesce(
      (
          SELECT min(w.sequence) FROM outbox AS w
          WHERE w.node = $1 AND w.recipient = $2 AND w.plane = 'identity'
            AND w.published_at >= $3
            AND (w.relays = 0 OR (w.relays = 1 AND w.relayed_at >= $5))
      ),
      9223372036854775807
  )
