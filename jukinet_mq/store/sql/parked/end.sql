-- End open parkings; of two operators the first one wins, and the second gets no row back.
-- Rows are locked in one order, so that the two cannot deadlock.
WITH chosen AS MATERIALIZED (
    SELECT position FROM parked
    WHERE position = ANY ($1::bigint[]) AND ended_at IS NULL
    ORDER BY position
    FOR UPDATE
)
UPDATE parked AS p
SET ended_at = $2, ended_how = $3, operator = $4, explanation = $5
FROM chosen
WHERE p.position = chosen.position AND p.ended_at IS NULL
RETURNING p.position, p.message_id, p.node, p.sender
