-- What lies in quarantine by cause, the most frequent first; filters as in quarantined.sql.
SELECT reason, sender, count(*) AS deliveries, sum(arrivals) AS arrivals,
       count(DISTINCT node) AS nodes, min(held_at) AS oldest, max(held_at) AS newest
FROM quarantine
WHERE ($1::text IS NULL OR node = $1)
  AND ($2::text IS NULL OR reason = $2)
  AND ($3::text IS NULL OR sender = $3)
  AND ($4::timestamptz IS NULL OR held_at < $4)
GROUP BY reason, sender
ORDER BY deliveries DESC, reason, sender
