-- The digests of published envelopes, to compare with what receipts speak of.
SELECT o.message_id, o.node, a.digest
FROM outbox AS o
JOIN archive AS a
  ON a.message_id = o.message_id AND a.node = o.node
 AND a.sender = o.node AND a.kept_at = o.published_at
WHERE o.message_id = ANY ($1::uuid[])
