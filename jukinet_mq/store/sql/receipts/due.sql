SELECT message_id, node, sender, level, reason, digest, kept_at, processed_at
FROM receipt_given
WHERE carried_by IS NULL AND ($2::text[] IS NULL OR node = ANY ($2))
ORDER BY kept_at
LIMIT $1
FOR UPDATE SKIP LOCKED
