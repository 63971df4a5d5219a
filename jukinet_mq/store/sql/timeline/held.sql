-- Whether an envelope that claimed one of these ids lies in quarantine, accepted ones left out.
SELECT position, node, held_at, reason, message_id
FROM quarantine
WHERE message_id = ANY ($1::text[])
  AND ended_how IS DISTINCT FROM 'accepted'
ORDER BY held_at
