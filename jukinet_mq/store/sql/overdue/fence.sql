-- Put the fence at the newest row that can be seen. Who was given a lower position and has not
-- committed yet had begun before, so has an xid below this snapshot's end.
UPDATE overdue_cursor
SET fence_position = greatest(fence_position, (SELECT coalesce(max(position), 0) FROM outbox)),
    fence_xid = pg_snapshot_xmax(pg_current_snapshot())
