-- Filed move-outs whose move-in notice should have come: by filing, the longest waiting first.
-- Who it concerns the municipality's own system knows by the filing's id.
SELECT node, event_id, planned_on, min(planned_area) AS planned_area, count(*) AS persons
FROM move_out
WHERE notice_id IS NULL AND planned_on < $1 AND ($2::text IS NULL OR node = $2)
GROUP BY node, event_id, planned_on
ORDER BY planned_on, node, event_id
LIMIT $3
