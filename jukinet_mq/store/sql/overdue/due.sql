-- Take awaited envelopes to look at, longest due first, with what keepers have answered.
SELECT a.message_id, a.resends, a.suspect, a.alarmed_at, o.node, o.recipient, o.kind, o.version,
       o.relayed_at, got.keepers, got.levels, got.received
FROM awaited AS a
JOIN outbox AS o USING (message_id)
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(r.keeper), '{}') AS keepers,
           coalesce(array_agg(r.level), '{}') AS levels,
           coalesce(array_agg(r.received_at), '{}') AS received
    FROM receipt_received AS r
    WHERE r.message_id = a.message_id AND r.node = o.node AND r.matches
) AS got
WHERE a.due_at <= $1
ORDER BY a.due_at, o.position
LIMIT $2
FOR UPDATE OF a SKIP LOCKED
