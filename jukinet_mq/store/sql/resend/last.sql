-- Where the outbox ends now.
SELECT coalesce(max(position), 0) AS position FROM outbox
