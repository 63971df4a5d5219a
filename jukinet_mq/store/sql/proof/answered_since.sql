SELECT count(*) FROM receipt_received WHERE received_at >= $1
