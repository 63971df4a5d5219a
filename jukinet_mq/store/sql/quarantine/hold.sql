INSERT INTO quarantine AS q (
    node, digest, reason, explanation, login, routing_key, exchange, message_id, kind, sender,
    size, bytes, held_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (node, digest, reason) DO UPDATE SET arrivals = q.arrivals + 1
