SELECT node, count(*) AS persons, min(planned_on) AS oldest
FROM move_out
WHERE notice_id IS NULL AND planned_on < $1
GROUP BY node
ORDER BY node
