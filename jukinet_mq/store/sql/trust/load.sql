SELECT key_id, node, use, public, valid_from, valid_until, revoked_at FROM trust_store
