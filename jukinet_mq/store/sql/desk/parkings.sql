-- Every parking there ever was of these envelopes, open or ended.
SELECT position, message_id, node, sender, parked_at, reason, attempts, ended_at, ended_how,
       operator, explanation
FROM parked
WHERE message_id = ANY ($1::uuid[])
ORDER BY parked_at, position
