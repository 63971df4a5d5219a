-- The same delivery for the same reason is counted, and open again if it was ended. Positions are
-- in the order of arrival, rows are locked in one order over all workers.
INSERT INTO quarantine AS q (
    position, node, digest, reason, carriage, explanation, login, routing_key, exchange,
    message_id, kind, sender, content_type, carried_by, whole, size, bytes, properties, arrivals,
    held_at
)
OVERRIDING SYSTEM VALUE
SELECT n.*, $19
FROM (
    SELECT nextval(pg_get_serial_sequence('quarantine', 'position')), d.*
    FROM unnest(
        $1::text[], $2::bytea[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::uuid[],
        $14::boolean[], $15::integer[], $16::bytea[], $17::bytea[], $18::integer[]
    ) AS d (node, digest, reason, carriage)
    OFFSET 0
) AS n
ORDER BY n.node, n.digest, n.reason, n.carriage
ON CONFLICT (node, digest, reason, carriage) DO UPDATE SET
    arrivals = q.arrivals + excluded.arrivals, ended_at = NULL, ended_how = NULL
