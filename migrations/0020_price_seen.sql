-- What decides which version of a plan a subscription has, whatever the order of its events; alerts in the outbox.

alter table subscriptions
  add column price_seen timestamptz[],
  add column other_price_at timestamptz;

comment on column subscriptions.price_seen is
  'When its price was observed, after it was last observed at another: the first of them decides its version.
   Null where it was not written down.';
comment on column subscriptions.other_price_at is 'When it was last observed at another price than it has.';

alter table outbox
  drop constraint outbox_kind_check,
  add constraint outbox_kind_check
    check (kind in ('email', 'identity', 'cache', 'refetch', 'alert')) not valid;
