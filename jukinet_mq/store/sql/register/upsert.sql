-- The register holds the latest event of each resident, in the order of the events, whatever the
-- order of arrival; an older one changes nothing here (it is in the history).
INSERT INTO register AS r (
    resident_code, node, present, municipality, event_class, reason, event_time, message_id,
    identity, updated_at
)
SELECT m.*, $10
FROM unnest(
    $1::text[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
    $8::uuid[], $9::jsonb[]
) AS m
ORDER BY 1, 2
ON CONFLICT (resident_code, node) DO UPDATE SET
    present = excluded.present, municipality = excluded.municipality,
    event_class = excluded.event_class, reason = excluded.reason,
    event_time = excluded.event_time, message_id = excluded.message_id,
    identity = excluded.identity, updated_at = excluded.updated_at
WHERE (r.event_time, r.message_id) < (excluded.event_time, excluded.message_id)
