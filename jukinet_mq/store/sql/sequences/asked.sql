UPDATE sequence_gap AS g
SET asks = a.asks, due_at = a.due_at, alarmed_at = a.alarmed_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::smallint[],
            $7::timestamptz[], $8::timestamptz[])
    AS a (node, sender, recipient, plane, sequence, asks, due_at, alarmed_at)
WHERE (g.node, g.sender, g.recipient, g.plane, g.sequence)
    = (a.node, a.sender, a.recipient, a.plane, a.sequence)
