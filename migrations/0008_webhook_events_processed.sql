-- no-transaction: webhooks go on while it is built.

create index concurrently if not exists webhook_events_processed
  on webhook_events
  using brin (processed_at);
