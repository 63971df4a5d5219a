-- An event as it was filed at a municipality; `filing` knows how a card-based move-in goes on.
SELECT e.event_id, e.node, e.kind, e.filed_at, f.former, f.state, f.reason, f.ended_at
FROM filed_event AS e
LEFT JOIN filing AS f USING (event_id, node)
WHERE e.event_id = $1
ORDER BY e.filed_at, e.node
