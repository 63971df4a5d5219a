-- Close the gaps that these numbers fill; rows are locked in one order.
WITH filled AS MATERIALIZED (
    SELECT g.node, g.sender, g.recipient, g.plane, g.sequence
    FROM sequence_gap AS g
    JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
        AS p (node, sender, recipient, plane, sequence)
        USING (node, sender, recipient, plane, sequence)
    WHERE g.closed_at IS NULL
    ORDER BY g.node, g.sender, g.recipient, g.plane, g.sequence
    FOR UPDATE OF g
)
UPDATE sequence_gap AS g SET closed_at = $6
FROM filled AS f
WHERE (g.node, g.sender, g.recipient, g.plane, g.sequence)
    = (f.node, f.sender, f.recipient, f.plane, f.sequence)
