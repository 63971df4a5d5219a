-- Where that ends which lies in quarantine now.
SELECT coalesce(max(position), 0) AS position FROM quarantine
