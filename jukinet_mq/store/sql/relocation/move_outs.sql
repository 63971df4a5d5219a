SELECT resident_code, node, event_id, planned_on, notice_group, notice_time, notice_id
FROM move_out
JOIN unnest($1::text[], $2::text[]) AS wanted (resident_code, node) USING (resident_code, node)
