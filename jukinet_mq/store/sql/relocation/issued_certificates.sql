-- The latest certificate that names everybody asked for, per question.
SELECT q.n, i.content
FROM unnest($1::integer[], $2::text[], $3::text[]) AS q (n, node, codes)
CROSS JOIN LATERAL (
    SELECT c.content
    FROM certificate_issued AS c
    WHERE c.node = q.node AND c.resident_codes @> string_to_array(q.codes, ',')
    ORDER BY c.issued_at DESC, c.message_id DESC
    LIMIT 1
) AS i
