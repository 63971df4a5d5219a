-- Lock certificates in one order, before their persons: who holds a certificate may change both.
SELECT FROM certificate_held AS c
JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS m (message_id, node, sender)
    USING (message_id, node, sender)
ORDER BY c.message_id, c.node, c.sender
FOR UPDATE OF c
