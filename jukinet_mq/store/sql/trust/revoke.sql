-- Rows are locked in one order.
WITH wanted AS MATERIALIZED (
    SELECT key_id FROM trust_store
    WHERE key_id = ANY ($1::text[]) AND revoked_at IS NULL
    ORDER BY key_id
    FOR UPDATE
)
UPDATE trust_store AS t SET revoked_at = $2
FROM wanted AS w
WHERE t.key_id = w.key_id
RETURNING t.key_id
