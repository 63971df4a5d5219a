UPDATE overdue_cursor SET position = $1
