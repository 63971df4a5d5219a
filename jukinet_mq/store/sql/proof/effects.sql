-- What registers have recorded; more than one row per envelope and node is a doubled effect.
SELECT message_id, node FROM register_history
