-- End a check: when nothing is open in it any more, or however it stands.
UPDATE consistency_check AS c SET ended_at = $2, ended_how = $3
WHERE c.check_id = $1 AND c.ended_at IS NULL
  AND ($3 <> 'done' OR NOT EXISTS (
      SELECT FROM consistency_question AS q WHERE q.check_id = $1 AND q.answered_at IS NULL
  ))
RETURNING c.node, (
    SELECT count(*) FROM consistency_difference AS d WHERE d.check_id = $1
) AS differences
