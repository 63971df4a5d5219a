-- Close the gaps that these numbers fill.
UPDATE sequence_gap AS g SET closed_at = $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    AS p (node, sender, recipient, plane, sequence)
WHERE (g.node, g.sender, g.recipient, g.plane, g.sequence)
    = (p.node, p.sender, p.recipient, p.plane, p.sequence)
  AND g.closed_at IS NULL
