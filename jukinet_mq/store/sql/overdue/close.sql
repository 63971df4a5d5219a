DELETE FROM awaited WHERE message_id = ANY ($1::uuid[])
