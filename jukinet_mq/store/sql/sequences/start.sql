-- Make the rows of pairs never seen before, so that `seen` can lock them.
INSERT INTO sequence_seen (node, sender, recipient, plane, highest)
SELECT p.node, p.sender, p.recipient, p.plane, 0
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS p (node, sender, recipient, plane)
ORDER BY p.node, p.sender, p.recipient, p.plane
ON CONFLICT DO NOTHING
