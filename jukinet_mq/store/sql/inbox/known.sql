SELECT i.message_id, i.node, i.sender, i.digest, i.state
FROM inbox AS i
JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS m (message_id, node, sender)
    USING (message_id, node, sender)
