"""What each tier does with what it keeps: one table of handlers per tier, by kind."""
