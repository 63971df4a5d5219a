INSERT INTO consistency_check (check_id, node, started_at, first, last)
VALUES ($1, $2, $3, $4, $5)
