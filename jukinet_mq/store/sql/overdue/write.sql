-- Write down when to look again; rows are locked in one order.
WITH wanted AS MATERIALIZED (
    SELECT w.*
    FROM unnest($1::uuid[], $2::timestamptz[], $3::smallint[], $4::timestamptz[])
        AS w (message_id, due_at, resends, alarmed_at)
    JOIN awaited AS a USING (message_id)
    ORDER BY a.message_id
    FOR UPDATE OF a
)
UPDATE awaited AS a
SET due_at = w.due_at, suspect = false, resends = w.resends, alarmed_at = w.alarmed_at,
    resent_at = CASE WHEN w.resends > a.resends THEN $5 ELSE a.resent_at END
FROM wanted AS w
WHERE a.message_id = w.message_id
