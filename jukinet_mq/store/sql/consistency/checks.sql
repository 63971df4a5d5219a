-- The latest check of each municipality, or one check; a filter that is null lets all through.
SELECT DISTINCT ON (c.node)
       c.check_id, c.node, c.started_at, c.first, c.last, c.ended_at, c.ended_how,
       (SELECT count(*) FROM consistency_difference AS d WHERE d.check_id = c.check_id)
           AS differences
FROM consistency_check AS c
WHERE ($1::text IS NULL OR c.node = $1) AND ($2::uuid IS NULL OR c.check_id = $2)
ORDER BY c.node, c.started_at DESC
LIMIT $3
