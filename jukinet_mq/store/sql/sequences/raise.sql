UPDATE sequence_seen AS s SET highest = p.highest
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    AS p (node, sender, recipient, plane, highest)
WHERE (s.node, s.sender, s.recipient, s.plane) = (p.node, p.sender, p.recipient, p.plane)
  AND s.highest < p.highest
