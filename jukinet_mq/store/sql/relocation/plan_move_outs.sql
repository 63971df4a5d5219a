-- A notice may have come before: then this only adds what was planned.
INSERT INTO move_out AS m (
    resident_code, node, event_id, planned_on, planned_area, planned_address, updated_at
)
SELECT p.*, $7
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::date[], $5::text[], $6::text[]) AS p
ORDER BY 1, 2, 3
ON CONFLICT (resident_code, node, event_id) DO UPDATE SET
    planned_on = excluded.planned_on, planned_area = excluded.planned_area,
    planned_address = excluded.planned_address, updated_at = excluded.updated_at
