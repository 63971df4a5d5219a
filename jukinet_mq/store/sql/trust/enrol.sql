INSERT INTO trust_store (key_id, node, use, public, valid_from, valid_until, enrolled_at)
SELECT k.*, $7 FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::bytea[], $5::timestamptz[], $6::timestamptz[]
) AS k
ORDER BY 1
ON CONFLICT (key_id) DO NOTHING
RETURNING key_id
