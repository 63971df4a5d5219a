-- What lies in quarantine by cause, the most frequent first; filters as in held.sql. What is only
-- counted has no kind and no number, so a filter by those leaves it out.
WITH held AS (
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
), counted AS (
    SELECT reason, login, sum(deliveries)::bigint AS counted
    FROM quarantine_counted_open
    WHERE $1::bigint[] IS NULL AND $4::text IS NULL
      AND ($2::text IS NULL OR node = $2)
      AND ($6::timestamptz IS NULL OR first_at < $6)
      AND ($7::timestamptz IS NULL OR last_at >= $7)
    GROUP BY reason, login
)
SELECT h.reason, h.sender, h.deliveries, h.arrivals, coalesce(c.counted, 0) AS counted, h.nodes,
       h.oldest, h.newest
FROM held AS h
LEFT JOIN counted AS c ON c.reason = h.reason AND c.login = coalesce(h.sender, '')
ORDER BY h.deliveries + coalesce(c.counted, 0) DESC, h.reason, h.sender
