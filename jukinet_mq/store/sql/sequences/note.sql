-- Raise the highest number seen of each pair, and return the highest before. Rows, new and known
-- ones, are locked in one order, so that two workers with the same pairs cannot deadlock.
INSERT INTO sequence_seen AS s (node, sender, recipient, plane, highest)
SELECT p.node, p.sender, p.recipient, p.plane, p.highest
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    AS p (node, sender, recipient, plane, highest)
ORDER BY p.node, p.sender, p.recipient, p.plane
ON CONFLICT (node, sender, recipient, plane) DO UPDATE SET
    previous = s.highest, highest = greatest(s.highest, excluded.highest)
RETURNING node, sender, recipient, plane, previous
