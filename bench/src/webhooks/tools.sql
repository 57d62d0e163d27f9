create schema bench;

-- The floor: one row a transaction, as wide and as much indexed as an event's.
create table bench.bare (
  id           uuid primary key,
  kind         text not null,
  created_at   timestamptz not null,
  processed_at bigint not null
);

create sequence bench.events;

create table bench.price as
select plan, version, amount_minor, stripe_price_id, stripe_product_id
from pricing_plans
where plan = 'pro'
  and interval = 'monthly';

-- A renewal of one of the first customers, in turn: each is told of a second later than the time before.
create function bench.event(p_number bigint)
returns jsonb
language sql
stable
as $$
  select jsonb_build_object(
    'id', 'evt_sql_' || p_number,
    'type', 'customer.subscription.updated',
    'since', told.at,
    'created', told.at,
    'rank', 2,
    'heard', 'evt_sql_' || p_number,
    'facts', jsonb_build_object('subscription', jsonb_build_object(
      'id', 'sub_' || told.customer,
      'customer', 'cus_' || told.customer,
      'status', 'active',
      'created', 1700000000,
      'user_id', 'user_' || told.customer,
      'item', 'si_' || told.customer,
      'price', p.stripe_price_id,
      'product', p.stripe_product_id,
      'interval', 'monthly',
      'quantity', 1,
      'currency', 'usd',
      'amount_minor', p.amount_minor,
      'period_start', told.at,
      'period_end', told.at + 2592000)))
  from bench.price p,
       (
         select 25000 + p_number % 25000 as customer, 1700000100 + p_number / 25000 as at
       ) told
$$;
