-- The same delivery for the same reason is counted, and open again if it was ended.
INSERT INTO quarantine AS q (
    node, digest, reason, explanation, login, routing_key, exchange, message_id, kind, sender,
    content_type, carried_by, carriage, whole, size, bytes, held_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (node, digest, reason, carriage) DO UPDATE SET
    arrivals = q.arrivals + 1, ended_at = NULL, ended_how = NULL
