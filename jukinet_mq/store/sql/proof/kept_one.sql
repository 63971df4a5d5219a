SELECT EXISTS (SELECT FROM inbox WHERE message_id = $1 AND node = $2)
