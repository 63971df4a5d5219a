-- Give persons of held certificates, which are locked, to filings; returns who was still unused.
UPDATE certificate_person AS p SET used_by = u.filing
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[])
    AS u (message_id, node, sender, resident_code, filing)
WHERE (p.message_id, p.node, p.sender, p.resident_code)
    = (u.message_id, u.node, u.sender, u.resident_code)
  AND p.used_by IS NULL
RETURNING p.resident_code, p.node, u.filing
