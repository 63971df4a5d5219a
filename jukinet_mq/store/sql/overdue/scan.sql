-- Look at the next outbox rows that are old enough; write down those that lack a receipt.
-- Returns the last position looked at and how many were relayed, or nulls.
-- A row published in what is the future now (a clock was put back) counts as old.
WITH batch AS MATERIALIZED (
    SELECT position, message_id, node, recipient, kind, version, published_at, relays
    FROM outbox
    WHERE position > $1 AND position <= $2
    ORDER BY position
    LIMIT $5
), old AS MATERIALIZED (
    SELECT * FROM batch
    WHERE position < coalesce(
        (SELECT min(position) FROM batch WHERE published_at > $3 AND published_at <= $4),
        9223372036854775807
    )
), late AS (
    INSERT INTO awaited (message_id, noticed_at, due_at)
    SELECT o.message_id, $4, $4
    FROM old AS o
    JOIN unnest($6::text[], $7::smallint[], $8::boolean[], $9::integer[], $10::integer[])
        AS owed (kind, version, home, keepers, actors)
      ON owed.kind = o.kind AND owed.version = o.version
     AND owed.home = (left(o.node, 2) = left(o.recipient, 2))
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT r.keeper) AS keepers,
               count(DISTINCT r.keeper) FILTER (WHERE r.level = 'processed') AS actors
        FROM receipt_received AS r
        WHERE r.message_id = o.message_id AND r.node = o.node AND r.matches
    ) AS got
    -- All of it only while something was relayed: in an outage the search waits.
    WHERE EXISTS (SELECT FROM old WHERE relays > 0)
      AND (got.keepers < owed.keepers OR got.actors < owed.actors)
    ORDER BY o.message_id
    ON CONFLICT DO NOTHING
)
SELECT max(position) AS position, count(*) FILTER (WHERE relays > 0) AS relayed FROM old
