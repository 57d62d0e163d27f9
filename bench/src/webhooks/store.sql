begin;

insert into users (id, created_at, stripe_customer_id)
select 'user_' || n, now(), 'cus_' || n
from generate_series({from}, {to} - 1) n;

insert into stripe_customers (id, user_id, created_at)
select 'cus_' || n, 'user_' || n, now()
from generate_series({from}, {to} - 1) n;

insert into subscriptions (
  id, user_id, customer_id, status, plan, plan_version, interval, quantity, currency, amount_minor,
  stripe_item_id, stripe_price_id, stripe_product_id, current_period_start, current_period_end,
  cancel_at_period_end, created_at, updated_at, heard_since, heard_at, heard_rank, heard_event)
select
  'sub_' || n, 'user_' || n, 'cus_' || n, 'active', p.plan, p.version, 'monthly', 1, 'usd', p.amount_minor,
  'si_' || n, p.stripe_price_id, p.stripe_product_id, now(), now() + interval '1 month',
  false, to_timestamp(1700000000), now(), to_timestamp(1700000000), to_timestamp(1700000000), 1, 'evt_' || n
from generate_series({from}, {to} - 1) n, bench.price p;

insert into entitlements (user_id, plan, plan_version, source, status, version, updated_at)
select 'user_' || n, p.plan, p.version, 'stripe', 'active', 1, now()
from generate_series({from}, {to} - 1) n, bench.price p;

insert into webhook_events (id, type, created_at, processed_at)
select 'evt_' || n, 'customer.subscription.created', to_timestamp(1700000000), now()
from generate_series({from}, {to} - 1) n;

insert into billing_events (
  user_id, customer_id, subscription_id, kind, amount_minor, currency, status, stripe_event_id,
  occurred_at, recorded_at)
select
  'user_' || n, 'cus_' || n, 'sub_' || n, 'subscription.created', p.amount_minor, 'usd', 'active',
  'evt_' || n, now(), now()
from generate_series({from}, {to} - 1) n, bench.price p;

commit;

analyze;
