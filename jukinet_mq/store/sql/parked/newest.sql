-- Where the parkings end that there are now.
SELECT coalesce(max(position), 0) AS position FROM parked
