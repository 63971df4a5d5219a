-- When what has arrived was kept and handled.
SELECT message_id, node, state, kept_at, handled_at FROM inbox
