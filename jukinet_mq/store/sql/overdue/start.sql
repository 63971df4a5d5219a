INSERT INTO overdue_cursor (position, fence_position, fence_xid)
VALUES (0, 0, pg_snapshot_xmax(pg_current_snapshot()))
ON CONFLICT DO NOTHING
