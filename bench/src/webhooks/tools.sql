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
-- Written so that it costs next to nothing itself.
create table bench.template as
select jsonb_build_object(
  'id', 'evt_sql_{n}',
  'type', 'customer.subscription.updated',
  'since', '{at}',
  'created', '{at}',
  'rank', 2,
  'heard', 'evt_sql_{n}',
  'facts', jsonb_build_object('subscription', jsonb_build_object(
    'id', 'sub_{c}',
    'customer', 'cus_{c}',
    'status', 'active',
    'created', 1700000000,
    'user_id', 'user_{c}',
    'item', 'si_{c}',
    'price', stripe_price_id,
    'product', stripe_product_id,
    'interval', 'monthly',
    'quantity', 1,
    'currency', 'usd',
    'amount_minor', amount_minor,
    'period_start', '{at}',
    'period_end', 1900000000)))::text as text
from bench.price;

create function bench.event(p_number bigint)
returns jsonb
language plpgsql
stable
as $$
declare
  v_text text := (select text from bench.template);
begin
  v_text := replace(v_text, '{n}', p_number::text);
  v_text := replace(v_text, '{c}', (25000 + p_number % 25000)::text);
  return replace(v_text, '{at}', (1700000100 + p_number / 25000)::text)::jsonb;
end
$$;
