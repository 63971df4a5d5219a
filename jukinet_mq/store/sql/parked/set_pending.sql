-- Put parked envelopes back for handling now, with the whole policy of their kind before them.
UPDATE inbox AS i SET state = 'pending', due_at = $4, attempts = 0, reason = NULL
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS m (message_id, node, sender)
WHERE (i.message_id, i.node, i.sender) = (m.message_id, m.node, m.sender) AND i.state = 'parked'
RETURNING i.message_id, i.node, i.sender
