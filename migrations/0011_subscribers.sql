-- no-transaction: for those who are shown to the cache after a deploy.

create index concurrently if not exists entitlements_subscribers
  on entitlements (user_id)
  where source <> 'default';
