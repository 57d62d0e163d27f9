create schema bench;

-- The floor: one row a transaction, as wide and as much indexed as an event's.
create table bench.bare (
  id           uuid primary key,
  kind         text not null,
  created_at   timestamptz not null,
  processed_at bigint not null
);

create table bench.price as
select plan, version, amount_minor, stripe_price_id, stripe_product_id
from pricing_plans
where plan = 'pro'
  and interval = 'monthly';

-- The month that everybody has paid for, which ended a moment ago.
create table bench.period as
select ends_at - interval '1 month' as began_at, ends_at
from (select date_trunc('second', now()) - interval '1 second') as ended (ends_at);

-- The same, and when the next one ends, as Stripe writes times.
create table bench.times as
select
  extract(epoch from began_at)::bigint as began,
  extract(epoch from ends_at)::bigint as ended,
  extract(epoch from began_at + interval '2 months')::bigint as next_ends
from bench.period;

create sequence bench.events minvalue 0;

-- What Stripe says of a customer's subscription. Written so that it costs next to nothing itself.
create table bench.template as
select jsonb_build_object(
  'id', 'evt_sql_{c}_{at}',
  'type', 'customer.subscription.updated',
  'since', '{at}',
  'created', '{at}',
  'rank', 2,
  'tie_breaker', 'evt_sql_{c}_{at}',
  'facts', jsonb_build_object('subscription', jsonb_build_object(
    'id', 'sub_{c}',
    'customer', 'cus_{c}',
    'status', 'active',
    'created', t.began,
    'user_id', 'user_{c}',
    'item', 'si_{c}',
    'price', p.stripe_price_id,
    'product', p.stripe_product_id,
    'interval', 'monthly',
    'quantity', 1,
    'currency', 'usd',
    'amount_minor', p.amount_minor,
    'anchor', t.began,
    'period_start', '{from}',
    'period_end', '{to}')))::text as text, t.*
from bench.price p, bench.times t;

-- What the user has stays as it is: most events are like that.
create function bench.update(p_customer bigint, p_round bigint)
returns jsonb
language plpgsql
stable
as $$
declare
  v_told bench.template := (select t from bench.template t);
begin
  return bench.told(v_told.text, p_customer, v_told.began + 1 + p_round, v_told.began, v_told.ended);
end
$$;

-- A month has been paid for, which brings credits.
create function bench.renewal(p_customer bigint)
returns jsonb
language plpgsql
stable
as $$
declare
  v_told bench.template := (select t from bench.template t);
begin
  return bench.told(v_told.text, p_customer, v_told.ended, v_told.ended, v_told.next_ends);
end
$$;

create function bench.told(p_text text, p_customer bigint, p_at bigint, p_from bigint, p_to bigint)
returns jsonb
language plpgsql
immutable
as $$
begin
  p_text := replace(p_text, '{c}', p_customer::text);
  p_text := replace(p_text, '{at}', p_at::text);
  p_text := replace(p_text, '{from}', p_from::text);
  return replace(p_text, '{to}', p_to::text)::jsonb;
end
$$;
