-- A later certificate of the same move-out takes the place of these, which are locked; their
-- content goes now, their envelopes when they are due.
WITH replaced AS (
    UPDATE certificate_held AS c SET state = 'replaced', body = NULL, ended_at = $4
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS r (message_id, node, sender)
    WHERE (c.message_id, c.node, c.sender) = (r.message_id, r.node, r.sender)
      AND c.state = 'held'
    RETURNING c.message_id, c.node, c.sender
)
DELETE FROM certificate_person AS p
USING replaced AS r
WHERE (p.message_id, p.node, p.sender) = (r.message_id, r.node, r.sender)
