-- When a prefecture put forwards with these originals into its outbox, and the broker had them:
-- both were written in the transaction that handled the original. Several forwards of one
-- transaction cannot be told apart here; all must be out before one may be said to be.
SELECT i.message_id, i.node, o.published_at,
       CASE WHEN bool_and(o.relayed_at IS NOT NULL) THEN max(o.relayed_at) END AS relayed_at
FROM inbox AS i
JOIN outbox AS o
  ON o.node = i.node AND o.kind = 'identity-forward' AND o.published_at = i.handled_at
WHERE i.message_id = ANY ($1::uuid[]) AND i.state = 'done' AND i.kind = 'identity-update'
GROUP BY i.message_id, i.node, o.published_at
