-- What keepers have answered about these envelopes.
SELECT message_id, node, keeper, level, reason, kept_at, processed_at, received_at, matches
FROM receipt_received
WHERE message_id = ANY ($1::uuid[])
ORDER BY received_at, keeper, level
