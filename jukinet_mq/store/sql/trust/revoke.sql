UPDATE trust_store SET revoked_at = $2
WHERE key_id = ANY ($1::text[]) AND revoked_at IS NULL
RETURNING key_id
