-- What was published under these ids, to hold against what receipts speak of. An answer may come
-- before the confirm of the first relay is written down; publishing was earlier still.
SELECT o.message_id, o.node, o.recipient, o.kind, o.version, a.digest,
       coalesce(o.first_relayed_at, o.published_at) AS out_at
FROM outbox AS o
JOIN archive AS a
  ON a.message_id = o.message_id AND a.node = o.node
 AND a.sender = o.node AND a.kept_at = o.published_at
WHERE o.message_id = ANY ($1::uuid[])
