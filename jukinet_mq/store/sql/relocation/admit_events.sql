-- Note that these events were filed; returns only those that are news.
INSERT INTO filed_event (event_id, node, kind, digest, filed_at)
SELECT e.*, $5
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[]) AS e
ORDER BY 1, 2
ON CONFLICT DO NOTHING
RETURNING event_id, node
