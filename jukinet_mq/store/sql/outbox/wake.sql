NOTIFY outbox
