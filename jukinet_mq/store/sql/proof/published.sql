-- Everything that this tier's nodes have ever published, with the digest of their own copy.
SELECT o.message_id, o.node, o.recipient, o.kind, o.version, o.position, o.published_at,
       o.relayed_at, a.digest
FROM outbox AS o
LEFT JOIN archive AS a
  ON a.message_id = o.message_id AND a.node = o.node
 AND a.sender = o.node AND a.kept_at = o.published_at
