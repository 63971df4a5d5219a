-- Give the next numbers of each pair; rows are locked in one order, so two publishers of
-- overlapping pairs cannot deadlock. Returns the highest number given.
INSERT INTO sequence_given AS s (node, recipient, plane, last)
SELECT node, recipient, plane, count
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS g (node, recipient, plane, count)
ORDER BY node, recipient, plane
ON CONFLICT (node, recipient, plane) DO UPDATE SET last = s.last + excluded.last
RETURNING node, recipient, plane, last
