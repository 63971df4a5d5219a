-- Their checks are locked.
UPDATE consistency_question SET answered_at = $2 WHERE request_id = ANY ($1::uuid[])
