-- Take the search, if nobody else is at it.
SELECT position, fence_position,
       pg_snapshot_xmin(pg_current_snapshot()) >= fence_xid AS fence_reached
FROM overdue_cursor
FOR UPDATE SKIP LOCKED
