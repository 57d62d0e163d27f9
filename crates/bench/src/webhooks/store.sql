-- Stores customers whose paid month is over, with a fifth of the plan's credits for that month left.
begin;

insert into accounts (id, created_at, stripe_customer_id, due_at, entitlement_version, catalog_epoch)
select 'user_' || n, p.began_at, 'cus_' || n, p.ends_at, 2, c.epoch
from generate_series({from}, {to} - 1) n, bench.period p, catalog_state c;

insert into stripe_customers (id, user_id, created_at)
select 'cus_' || n, 'user_' || n, p.began_at
from generate_series({from}, {to} - 1) n, bench.period p;

insert into subscriptions (
  id, user_id, customer_id, status, plan, plan_version, interval, quantity, currency, amount_minor,
  stripe_item_id, stripe_price_id, stripe_product_id, current_period_start, current_period_end,
  billing_anchor, cancel_at_period_end, created_at, updated_at, observed_after, observed_at, event_rank,
  tie_breaker, period_observed_at, price_seen, grants_credits, renewal_unit, renewal_amount,
  digest)
select
  'sub_' || d.n, 'user_' || d.n, 'cus_' || d.n, 'active', p.plan, p.version, 'monthly', 1, 'usd', p.amount_minor,
  'si_' || d.n, p.stripe_price_id, p.stripe_product_id, t.began_at, t.ends_at,
  t.began_at, false, t.began_at, t.began_at, t.began_at, t.began_at, 1,
  'evt_' || d.n, t.began_at, array[t.began_at], true, 'ai_credit', 100, d.digest
from bench.digests d, bench.price p, bench.period t;

insert into entitlements (
  user_id, plan, plan_version, source, status, subscription_id, anchor, updated_at)
select 'user_' || n, p.plan, p.version, 'stripe', 'active', 'sub_' || n, t.began_at, t.began_at
from generate_series({from}, {to} - 1) n, bench.price p, bench.period t;

insert into credit_grants (
  user_id, unit, kind, amount, remaining, priority, expires_at, period_start, period_end, created_at)
select
  'user_' || n, 'ai_credit', 'plan', 100, 20, 50, t.ends_at, t.began_at, t.ends_at, t.began_at
from generate_series({from}, {to} - 1) n, bench.period t;

insert into wallets (
  user_id, unit, seq, version, due_at, balance, topped_up, notice_at, head_id, head_left, head_ends, also_expiring)
select g.user_id, g.unit, 2, 2, g.expires_at, 20, 100, 0, g.id, 20, g.expires_at, 0
from credit_grants g
join generate_series({from}, {to} - 1) n on g.user_id = 'user_' || n;

insert into credit_transactions (user_id, unit, seq, delta, balance_after, kind, created_at)
select 'user_' || n, 'ai_credit', row.seq, row.delta, row.balance, row.kind, t.began_at
from generate_series({from}, {to} - 1) n, bench.period t, (
  values (1, 100, 100, 'plan'), (2, -80, 20, 'spend')) row (seq, delta, balance, kind)
order by n, row.seq;

insert into webhook_events (id, type, created_at, processed_at)
select 'evt_' || n, 'customer.subscription.created', t.began_at, t.began_at
from generate_series({from}, {to} - 1) n, bench.period t;

insert into billing_events (
  user_id, customer_id, subscription_id, kind, amount_minor, currency, status, stripe_event_id,
  occurred_at, recorded_at)
select
  'user_' || n, 'cus_' || n, 'sub_' || n, 'subscription.created', p.amount_minor, 'usd', 'active',
  'evt_' || n, t.began_at, t.began_at
from generate_series({from}, {to} - 1) n, bench.price p, bench.period t;

commit;

analyze;
