-- Say in the inbox why nothing will ever come of these; they stay parked there.
UPDATE inbox AS i SET reason = $4
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS m (message_id, node, sender)
WHERE (i.message_id, i.node, i.sender) = (m.message_id, m.node, m.sender) AND i.state = 'parked'
RETURNING i.message_id, i.node, i.sender, i.digest, i.kept_at
