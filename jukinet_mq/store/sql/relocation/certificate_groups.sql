-- Every certificate of these move-outs, with whom each names and for whom it was used.
SELECT
    c.group_id, c.node, c.sender, c.message_id, c.event_time, c.state,
    coalesce(
        (SELECT jsonb_object_agg(p.resident_code, p.used_by) FROM certificate_person AS p
         WHERE (p.message_id, p.node, p.sender) = (c.message_id, c.node, c.sender)
           AND p.used_by IS NOT NULL),
        '{}'
    ) AS used
FROM certificate_held AS c
JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS wanted (group_id, node, sender)
    USING (group_id, node, sender)
