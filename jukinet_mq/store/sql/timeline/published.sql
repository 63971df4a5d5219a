-- What was published under an id: the envelopes of a business event, or the one envelope.
SELECT message_id, event_id, node, recipient, plane, kind, version, sequence, event_time,
       published_at, relayed_at, relays
FROM outbox
WHERE event_id = $1 OR message_id = $1
ORDER BY position
