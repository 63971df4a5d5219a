-- Envelopes that were found without receipts, the oldest first; a filter that is null lets all
-- through.
SELECT a.message_id, a.resends, a.suspect, a.alarmed_at, o.node, o.recipient, o.kind, o.version,
       o.relayed_at, got.keepers, got.levels, got.received,
       o.event_id, o.published_at, a.noticed_at, a.due_at
FROM awaited AS a
JOIN outbox AS o USING (message_id)
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(r.keeper), '{}') AS keepers,
           coalesce(array_agg(r.level), '{}') AS levels,
           coalesce(array_agg(r.received_at), '{}') AS received
    FROM receipt_received AS r
    WHERE r.message_id = a.message_id AND r.node = o.node AND r.matches
) AS got
WHERE ($1::text IS NULL OR o.node = $1)
ORDER BY o.published_at, o.position
LIMIT $2
