-- Take receipts that no envelope carries yet: all of them while few are due, else only those of
-- senders whose oldest has waited long enough or who are owed many.
WITH owed AS MATERIALIZED (
    SELECT node, sender, min(kept_at) AS oldest, count(*) AS many
    FROM receipt_given
    WHERE carried_by IS NULL
    GROUP BY node, sender
),
ripe AS MATERIALIZED (
    SELECT node, sender FROM owed
    WHERE oldest <= $2 OR many >= $3 OR (SELECT sum(many) FROM owed) <= $4
)
SELECT r.message_id, r.node, r.sender, r.level, r.reason, r.digest, r.kept_at, r.processed_at
FROM receipt_given AS r
JOIN ripe USING (node, sender)
WHERE r.carried_by IS NULL
ORDER BY r.kept_at
LIMIT $1
FOR UPDATE OF r SKIP LOCKED
