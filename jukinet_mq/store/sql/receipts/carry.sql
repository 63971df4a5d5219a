UPDATE receipt_given AS r SET carried_by = c.carried_by
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[])
    AS c (message_id, node, sender, level, carried_by)
WHERE (r.message_id, r.node, r.sender, r.level) = (c.message_id, c.node, c.sender, c.level)
