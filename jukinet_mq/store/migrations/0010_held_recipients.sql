-- As in 0007, but envelopes to the recipients in *held* are left out: those that the broker refuses
-- would fill every claim and keep all others of their shard waiting.
DROP FUNCTION claim_outbox(integer, text[]);
CREATE FUNCTION claim_outbox(wanted integer, only_nodes text[], held text[])
RETURNS TABLE (
    outbox_position bigint, message_id uuid, event_id uuid, node text, recipient text, plane text,
    kind text, version smallint, sequence bigint, event_time timestamptz, signed bytea
)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    candidate smallint;
    claimed   bigint[] := '{}';
    oldest    timestamptz;
    newest    timestamptz;
BEGIN
    FOR candidate IN
        SELECT s.shard FROM generate_series(0, 15) AS s (shard)
        WHERE EXISTS (
            SELECT FROM outbox AS o
            WHERE o.shard = s.shard AND o.relayed_at IS NULL
              AND (only_nodes IS NULL OR o.node = ANY (only_nodes))
              AND o.recipient <> ALL (held)
        )
        ORDER BY random()
    LOOP
        EXIT WHEN cardinality(claimed) >= wanted;
        -- 1786 (0x6FA): this project's class of advisory locks.
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(1786, candidate);
        claimed := claimed || ARRAY(
            SELECT w.position FROM outbox AS w
            WHERE w.shard = candidate AND w.relayed_at IS NULL
              AND (only_nodes IS NULL OR w.node = ANY (only_nodes))
              AND w.recipient <> ALL (held)
            ORDER BY w.position
            LIMIT wanted - cardinality(claimed)
        );
    END LOOP;
    IF claimed = '{}' THEN
        RETURN;
    END IF;
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
