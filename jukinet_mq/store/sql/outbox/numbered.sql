-- What a node has published under these numbers.
SELECT message_id, sequence, kind, version
FROM outbox
WHERE node = $1 AND recipient = $2 AND plane = $3 AND sequence = ANY ($4::bigint[])
ORDER BY sequence
