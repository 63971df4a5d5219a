-- Nobody on these has still to file: what they say is in the register now.
UPDATE certificate_held AS c SET state = 'used', body = NULL, ended_at = $4
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS d (message_id, node, sender)
WHERE (c.message_id, c.node, c.sender) = (d.message_id, d.node, d.sender)
  AND c.state = 'held'
  AND NOT EXISTS (
      SELECT FROM certificate_person AS p
      WHERE (p.message_id, p.node, p.sender) = (c.message_id, c.node, c.sender)
        AND p.used_by IS NULL
  )
