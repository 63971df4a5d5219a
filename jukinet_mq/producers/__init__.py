"""Body to outbox (publisher), outbox to broker (relay)."""
