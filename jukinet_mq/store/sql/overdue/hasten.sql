-- A keeper got other bytes than these: look at them now.
INSERT INTO awaited AS a (message_id, noticed_at, due_at, suspect)
SELECT m, $2, $2, true FROM unnest($1::uuid[]) AS m
ORDER BY m
ON CONFLICT (message_id) DO UPDATE
SET due_at = least(a.due_at, excluded.due_at), suspect = true
