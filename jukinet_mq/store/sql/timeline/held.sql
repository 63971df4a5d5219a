-- Whether an envelope that claimed one of these ids lies in quarantine.
SELECT position, node, held_at, reason, message_id
FROM quarantine
WHERE message_id = ANY ($1::text[])
ORDER BY held_at
