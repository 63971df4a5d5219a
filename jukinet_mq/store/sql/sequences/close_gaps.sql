-- Close the gaps that these numbers fill; returns them, so that a number that is neither news nor
-- a gap can be told from one that is.
UPDATE sequence_gap AS g SET closed_at = $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    AS p (node, sender, recipient, plane, sequence)
WHERE (g.node, g.sender, g.recipient, g.plane, g.sequence)
    = (p.node, p.sender, p.recipient, p.plane, p.sequence)
  AND g.closed_at IS NULL
RETURNING g.node, g.sender, g.recipient, g.plane, g.sequence
