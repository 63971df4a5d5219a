-- A filing that is done needs no content here any more; one that is refused is a person's.
UPDATE filing AS f SET
    state = e.state, certificate_id = e.certificate_id, reason = e.reason, ended_at = $6,
    content = CASE e.state WHEN 'done' THEN NULL ELSE f.content END,
    resident_codes = CASE e.state WHEN 'done' THEN NULL ELSE f.resident_codes END
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[])
    AS e (event_id, node, state, certificate_id, reason)
WHERE (f.event_id, f.node) = (e.event_id, e.node) AND f.state = 'waiting'
