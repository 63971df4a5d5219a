UPDATE awaited AS a
SET due_at = w.due_at, suspect = false, resends = w.resends, alarmed_at = w.alarmed_at,
    resent_at = CASE WHEN w.resends > a.resends THEN $5 ELSE a.resent_at END
FROM unnest($1::uuid[], $2::timestamptz[], $3::smallint[], $4::timestamptz[])
    AS w (message_id, due_at, resends, alarmed_at)
WHERE a.message_id = w.message_id
