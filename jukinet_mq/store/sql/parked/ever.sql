-- The latest parking, open or ended, of each of these envelopes that ever was parked.
SELECT DISTINCT ON (p.message_id, p.node, p.sender)
       p.position, p.message_id, p.node, p.sender, p.parked_at, p.reason, p.attempts,
       i.recipient, i.plane, i.kind, i.version, i.sequence, i.event_id, i.event_time, i.kept_at,
       i.carried_by
FROM parked AS p
JOIN inbox AS i USING (message_id, node, sender)
WHERE p.message_id = ANY ($1::uuid[]) OR i.event_id = ANY ($1)
ORDER BY p.message_id, p.node, p.sender, p.position DESC
