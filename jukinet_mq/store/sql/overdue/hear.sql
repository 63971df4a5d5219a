-- Note up to when keepers have answered, and that they have. Rows that another worker writes just
-- now are left to it.
WITH free AS (
    SELECT h.keeper FROM keeper_heard AS h
    WHERE h.keeper = ANY ($1::text[])
    FOR UPDATE SKIP LOCKED
)
UPDATE keeper_heard AS h
SET relayed_at = greatest(h.relayed_at, n.relayed_at), heard_at = $3,
    probes = 0, probed_at = NULL
FROM unnest($1::text[], $2::timestamptz[]) AS n (keeper, relayed_at)
WHERE h.keeper = n.keeper AND h.keeper IN (SELECT keeper FROM free)
