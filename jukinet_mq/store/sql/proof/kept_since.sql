-- How much was kept since an instant, and how much of that is handled.
SELECT count(*) AS kept, count(*) FILTER (WHERE state = 'done') AS done
FROM inbox
WHERE kept_at >= $1
