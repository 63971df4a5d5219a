-- Filings that a certificate from this sender about these persons would complete.
SELECT w.n, f.event_id, f.node, f.content, f.filed_at
FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS w (n, node, sender, codes)
JOIN filing AS f
  ON f.node = w.node AND f.former = w.sender AND f.state = 'waiting'
 AND f.resident_codes <@ string_to_array(w.codes, ',')
ORDER BY w.n, f.filed_at, f.event_id
