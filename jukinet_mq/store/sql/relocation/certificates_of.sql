-- What is held, or was used, of the certificates that name somebody of a filing.
SELECT
    f.n, c.message_id, c.planned_on, c.erase_after, c.event_time, c.body,
    array_agg(p.resident_code) FILTER (WHERE p.used_by IS NULL) AS unused,
    array_agg(p.resident_code) FILTER (WHERE p.used_by IS NOT NULL) AS used
FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS f (n, node, sender, codes)
JOIN certificate_person AS p
  ON p.node = f.node AND p.sender = f.sender
 AND p.resident_code = ANY (string_to_array(f.codes, ','))
JOIN certificate_held AS c
  ON (c.message_id, c.node, c.sender) = (p.message_id, p.node, p.sender)
WHERE c.state IN ('held', 'used')
GROUP BY f.n, c.message_id, c.node, c.sender
