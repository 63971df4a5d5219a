-- The latest notice wins, whatever the order of arrival.
INSERT INTO move_out AS m (
    resident_code, node, event_id, notice_group, notice_id, notice_time, moved_out_on, area,
    address, updated_at
)
SELECT n.*, $10
FROM unnest(
    $1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::timestamptz[], $7::date[],
    $8::text[], $9::text[]
) AS n
ORDER BY 1, 2, 3
ON CONFLICT (resident_code, node, event_id) DO UPDATE SET
    notice_group = excluded.notice_group, notice_id = excluded.notice_id,
    notice_time = excluded.notice_time, moved_out_on = excluded.moved_out_on,
    area = excluded.area, address = excluded.address, updated_at = excluded.updated_at
WHERE m.notice_time IS NULL
   OR (m.notice_time, m.notice_id) < (excluded.notice_time, excluded.notice_id)
