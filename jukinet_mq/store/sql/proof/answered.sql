-- When receipts came since an instant.
SELECT count(*) AS count, min(received_at) AS first, max(received_at) AS last
FROM receipt_received
WHERE received_at >= $1
