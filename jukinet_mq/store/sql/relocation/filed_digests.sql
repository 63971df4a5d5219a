SELECT event_id, node, digest
FROM filed_event
JOIN unnest($1::uuid[], $2::text[]) AS wanted (event_id, node) USING (event_id, node)
