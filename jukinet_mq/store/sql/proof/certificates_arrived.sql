-- Which of these move-outs have a certificate at their destination.
SELECT DISTINCT group_id FROM certificate_held WHERE group_id = ANY ($1::uuid[])
