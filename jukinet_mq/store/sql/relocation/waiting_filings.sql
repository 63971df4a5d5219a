-- Filings that a certificate from this sender about these persons would complete. They are locked
-- in one order: of two certificates for one filing, the second no longer finds it waiting.
WITH question AS MATERIALIZED (
    SELECT w.n, w.node, w.sender, string_to_array(w.codes, ',') AS codes
    FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS w (n, node, sender, codes)
), waiting AS MATERIALIZED (
    SELECT f.event_id, f.node, f.former, f.resident_codes, f.content, f.filed_at
    FROM filing AS f
    WHERE f.state = 'waiting'
      AND EXISTS (
          SELECT FROM question AS q
          WHERE f.node = q.node AND f.former = q.sender AND f.resident_codes <@ q.codes
      )
    ORDER BY f.event_id, f.node
    FOR UPDATE OF f
)
SELECT q.n, f.event_id, f.node, f.content, f.filed_at
FROM question AS q
JOIN waiting AS f
  ON f.node = q.node AND f.former = q.sender AND f.resident_codes <@ q.codes
ORDER BY q.n, f.filed_at, f.event_id
