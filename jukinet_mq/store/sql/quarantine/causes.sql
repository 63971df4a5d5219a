-- What lies in quarantine by cause, the most frequent first; filters as in held.sql.
SELECT reason, sender, count(*) AS deliveries, sum(arrivals) AS arrivals,
       count(DISTINCT node) AS nodes, min(held_at) AS oldest, max(held_at) AS newest
FROM quarantine
WHERE ended_at IS NULL
  AND ($1::bigint[] IS NULL OR position = ANY ($1))
  AND ($2::text IS NULL OR node = $2)
  AND ($3::text IS NULL OR reason = $3)
  AND ($4::text IS NULL OR kind = $4 OR kind LIKE $4 || '.v%')
  AND ($5::text IS NULL OR sender = $5)
  AND ($6::timestamptz IS NULL OR held_at < $6)
  AND ($7::timestamptz IS NULL OR held_at >= $7)
GROUP BY reason, sender
ORDER BY deliveries DESC, reason, sender
