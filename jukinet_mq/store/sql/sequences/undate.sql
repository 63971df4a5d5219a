-- Date what these pairs say next by the clock again, whatever was given before.
UPDATE sequence_given AS s SET latest = NULL
FROM unnest($1::text[], $2::text[], $3::text[]) AS p (node, recipient, plane)
WHERE (s.node, s.recipient, s.plane) = (p.node, p.recipient, p.plane) AND s.latest IS NOT NULL
