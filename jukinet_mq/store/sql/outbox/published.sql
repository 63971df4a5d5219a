-- What was published under these ids, to hold against what receipts speak of.
SELECT o.message_id, o.node, o.recipient, o.kind, o.version, o.relayed_at, a.digest
FROM outbox AS o
JOIN archive AS a
  ON a.message_id = o.message_id AND a.node = o.node
 AND a.sender = o.node AND a.kept_at = o.published_at
WHERE o.message_id = ANY ($1::uuid[])
