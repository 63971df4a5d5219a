-- Which of these deliveries were held before, open or ended.
SELECT q.node, q.digest, q.reason, q.carriage
FROM quarantine AS q
JOIN unnest($1::text[], $2::bytea[], $3::text[], $4::bytea[]) AS d (node, digest, reason, carriage)
    USING (node, digest, reason, carriage)
