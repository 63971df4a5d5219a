-- Lock up to *wanted* waiting outbox rows for one relay until its transaction ends; those of
-- *only_nodes*, or of every node where that is null.
-- A (sender, recipient) pair is always in one shard, and a shard has one relay at a time, so
-- several relays side by side neither double work nor change a pair's order. Shards are tried in
-- random order so that relays spread out.
CREATE FUNCTION claim_outbox(wanted integer, only_nodes text[])
RETURNS TABLE (
    outbox_position bigint, message_id uuid, event_id uuid, node text, recipient text, plane text,
    kind text, version smallint, sequence bigint, event_time timestamptz, signed bytea
)
LANGUAGE plpgsql AS $$
DECLARE
    candidate smallint;
    remaining integer := wanted;
    taken     integer;
BEGIN
    FOR candidate IN SELECT s FROM generate_series(0, 15) AS s ORDER BY random() LOOP
        EXIT WHEN remaining <= 0;
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM outbox AS o
            WHERE o.shard = candidate AND o.relayed_at IS NULL
              AND (only_nodes IS NULL OR o.node = ANY (only_nodes))
        );
        -- 1786 (0x6FA): this project's class of advisory locks.
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(1786, candidate);
        RETURN QUERY
            SELECT o.position, o.message_id, o.event_id, o.node, o.recipient, o.plane,
                   o.kind, o.version, o.sequence, o.event_time, a.signed
            FROM (
                SELECT * FROM outbox AS w
                WHERE w.shard = candidate AND w.relayed_at IS NULL
                  AND (only_nodes IS NULL OR w.node = ANY (only_nodes))
                ORDER BY w.position LIMIT remaining
            ) AS o
            JOIN archive AS a
              ON a.message_id = o.message_id AND a.node = o.node
             AND a.sender = o.node AND a.kept_at = o.published_at
            ORDER BY o.position;
        GET DIAGNOSTICS taken = ROW_COUNT;
        remaining := remaining - taken;
    END LOOP;
END
$$;
