-- Numbers that are missing now, by pair; a filter that is null lets all through.
SELECT node, sender, recipient, plane, count(*) AS missing, min(sequence) AS first,
       max(sequence) AS last, min(noticed_at) AS since, max(asks) AS asks,
       max(alarmed_at) AS alarmed_at
FROM sequence_gap
WHERE closed_at IS NULL AND ($1::text IS NULL OR node = $1)
GROUP BY node, sender, recipient, plane
ORDER BY since, node, sender, recipient, plane
LIMIT $2
