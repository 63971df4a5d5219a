-- Takes a row lock, so it fails where writing would: read-only, no room, no rights.
INSERT INTO sequence_given (node, recipient, plane, last) VALUES ('probe', 'probe', 'probe', 1)
ON CONFLICT (node, recipient, plane) DO UPDATE SET last = 1
