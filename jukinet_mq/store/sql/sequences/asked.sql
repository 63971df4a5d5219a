-- Write down that these were asked for; rows are locked in one order. What was closed meanwhile
-- stays so.
WITH asked AS MATERIALIZED (
    SELECT a.*
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::smallint[],
                $7::timestamptz[], $8::timestamptz[])
        AS a (node, sender, recipient, plane, sequence, asks, due_at, alarmed_at)
    JOIN sequence_gap AS g USING (node, sender, recipient, plane, sequence)
    WHERE g.closed_at IS NULL
    ORDER BY g.node, g.sender, g.recipient, g.plane, g.sequence
    FOR UPDATE OF g
)
UPDATE sequence_gap AS g
SET asks = a.asks, due_at = a.due_at, alarmed_at = a.alarmed_at
FROM asked AS a
WHERE (g.node, g.sender, g.recipient, g.plane, g.sequence)
    = (a.node, a.sender, a.recipient, a.plane, a.sequence)
