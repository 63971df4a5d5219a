SELECT s.node, s.sender, s.recipient, s.plane, s.highest
FROM sequence_seen AS s
JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS p (node, sender, recipient, plane)
    USING (node, sender, recipient, plane)
ORDER BY s.node, s.sender, s.recipient, s.plane
FOR UPDATE OF s
