-- Signed envelopes are base64 over random-looking bytes: compressing them cost 250 µs an
-- envelope, twice all the rest of keeping it. What stays below a page stays in its row.
ALTER TABLE archive ALTER COLUMN signed SET STORAGE EXTERNAL;
DO $$
DECLARE
    partition regclass;
BEGIN
    FOR partition IN
        SELECT inhrelid FROM pg_inherits
        WHERE inhparent IN ('archive'::regclass, 'register_history'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = 8160)', partition);
    END LOOP;
END
$$;

-- As in 0002, but the archive is looked into once for all shards and only in the months that
-- the claimed rows were published in: setting up its partitions for each of 16 shards took most
-- of a claim's time.
CREATE OR REPLACE FUNCTION claim_outbox(wanted integer, only_nodes text[])
RETURNS TABLE (
    outbox_position bigint, message_id uuid, event_id uuid, node text, recipient text, plane text,
    kind text, version smallint, sequence bigint, event_time timestamptz, signed bytea
)
LANGUAGE plpgsql AS $$
DECLARE
    candidate smallint;
    claimed   bigint[] := '{}';
    oldest    timestamptz;
    newest    timestamptz;
BEGIN
    FOR candidate IN SELECT s FROM generate_series(0, 15) AS s ORDER BY random() LOOP
        EXIT WHEN cardinality(claimed) >= wanted;
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM outbox AS o
            WHERE o.shard = candidate AND o.relayed_at IS NULL
              AND (only_nodes IS NULL OR o.node = ANY (only_nodes))
        );
        -- 1786 (0x6FA): this project's class of advisory locks.
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(1786, candidate);
        claimed := claimed || ARRAY(
            SELECT w.position FROM outbox AS w
            WHERE w.shard = candidate AND w.relayed_at IS NULL
              AND (only_nodes IS NULL OR w.node = ANY (only_nodes))
            ORDER BY w.position
            LIMIT wanted - cardinality(claimed)
        );
    END LOOP;
    SELECT min(o.published_at), max(o.published_at) INTO oldest, newest
    FROM outbox AS o
    WHERE o.position = ANY (claimed);
    RETURN QUERY
        SELECT o.position, o.message_id, o.event_id, o.node, o.recipient, o.plane,
               o.kind, o.version, o.sequence, o.event_time, a.signed
        FROM outbox AS o
        JOIN archive AS a
          ON a.message_id = o.message_id AND a.node = o.node
         AND a.sender = o.node AND a.kept_at = o.published_at
        WHERE o.position = ANY (claimed) AND a.kept_at BETWEEN oldest AND newest
        ORDER BY o.position;
END
$$;
