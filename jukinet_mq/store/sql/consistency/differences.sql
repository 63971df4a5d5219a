SELECT d.keeper, d.sequence, d.message_id, d.difference, d.noted_at
FROM consistency_difference AS d
WHERE d.check_id = $1
ORDER BY d.keeper, d.sequence
LIMIT $2
