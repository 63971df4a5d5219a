-- The forwards that were published when these updates were handled, so also those that carry
-- them; at most a batch's worth more.
SELECT DISTINCT o.message_id
FROM inbox AS i
JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS m (message_id, node, sender)
    USING (message_id, node, sender)
JOIN outbox AS o
  ON o.kind = 'identity-forward' AND o.node = i.node AND o.published_at = i.handled_at
