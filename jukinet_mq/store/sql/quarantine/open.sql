-- What lies open of these causes: how much, up to $4, since when, and how many more were counted.
SELECT c.node, c.reason, c.login, o.held, o.since, coalesce(n.counted, 0) AS counted
FROM unnest($1::text[], $2::text[], $3::text[]) AS c (node, reason, login)
JOIN LATERAL (
    SELECT count(*) AS held, min(first.held_at) AS since
    FROM (
        SELECT q.held_at
        FROM quarantine AS q
        WHERE q.ended_at IS NULL AND q.node = c.node AND q.reason = c.reason
          AND coalesce(q.login, '') = c.login
        ORDER BY q.held_at
        LIMIT $4
    ) AS first
) AS o ON o.held > 0
LEFT JOIN LATERAL (
    SELECT sum(k.deliveries)::bigint AS counted
    FROM quarantine_counted AS k
    WHERE k.node = c.node AND k.reason = c.reason AND k.login = c.login AND k.last_at >= o.since
) AS n ON true
