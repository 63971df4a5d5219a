-- Rows are locked in one order.
WITH probed AS MATERIALIZED (
    SELECT keeper FROM keeper_heard WHERE keeper = ANY ($1::text[]) ORDER BY keeper FOR UPDATE
)
UPDATE keeper_heard AS h SET probes = h.probes + 1, probed_at = $2
FROM probed AS p
WHERE h.keeper = p.keeper
