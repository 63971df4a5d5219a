-- The receipt envelopes that already answered these deliveries.
SELECT DISTINCT r.carried_by
FROM receipt_given AS r
JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS m (message_id, node, sender)
    USING (message_id, node, sender)
WHERE r.carried_by IS NOT NULL
