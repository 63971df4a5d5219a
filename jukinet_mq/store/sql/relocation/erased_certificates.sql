-- Which of the filings fit the trace of an erased certificate: same sender, same planned day.
SELECT f.n
FROM unnest($1::integer[], $2::text[], $3::text[], $4::date[]) AS f (n, node, sender, planned_on)
WHERE EXISTS (
    SELECT FROM certificate_held AS c
    WHERE c.node = f.node AND c.sender = f.sender AND c.planned_on = f.planned_on
      AND c.state = 'erased'
)
