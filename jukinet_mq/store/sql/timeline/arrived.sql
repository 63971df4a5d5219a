-- What has arrived of an event or an envelope at the nodes of this database, and how far it is.
SELECT i.message_id, i.event_id, i.node, i.sender, i.recipient, i.plane, i.kind, i.version,
       i.sequence, i.event_time, i.carried_by, i.kept_at, i.state, i.attempts, i.due_at, i.reason,
       i.handled_at
FROM inbox AS i
WHERE i.event_id = $1 OR i.message_id = $1
ORDER BY i.event_time, i.message_id, i.kept_at
