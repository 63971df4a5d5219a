-- Put published envelopes back in line; the recipient's inbox makes the repetition harmless.
-- Rows are locked in one order.
WITH again AS MATERIALIZED (
    SELECT position FROM outbox
    WHERE message_id = ANY ($1::uuid[]) AND relayed_at IS NOT NULL
    ORDER BY position
    FOR UPDATE
)
UPDATE outbox AS o SET relayed_at = NULL FROM again WHERE o.position = again.position
