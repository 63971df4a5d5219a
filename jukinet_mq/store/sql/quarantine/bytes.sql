SELECT bytes FROM quarantine WHERE position = $1
