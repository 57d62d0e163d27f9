create schema bench;

-- The baseline: one row a transaction, with the width and the indexes of an event's row.
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

-- The month that every customer has paid for. It ended a second ago.
create table bench.period as
select ends_at - interval '1 month' as began_at, ends_at
from (select date_trunc('second', now()) - interval '1 second') as ended (ends_at);

-- The same month, and the end of the next one, as Unix times.
create table bench.times as
select
  extract(epoch from began_at)::bigint as began,
  extract(epoch from ends_at)::bigint as ended,
  extract(epoch from began_at + interval '2 months')::bigint as next_ends
from bench.period;

-- The parameters that Farebox derives from Stripe's events about a customer's subscription.
create table bench.digests (
  n      integer primary key,
  digest bigint not null
);

-- The rows that the five bare statements update.
create table bench.rows (
  id      integer primary key,
  balance bigint not null
);

insert into bench.rows
select n, 0
from generate_series(1, 100000) n;

-- The five bare statements in one function.
create function bench.five(p_n bigint)
returns void
language plpgsql
as $$
begin
  insert into bench.bare (id, kind, created_at, processed_at)
  values (gen_random_uuid(), 'an.event', now(), p_n);

  update bench.rows
  set balance = balance - 1
  where id = p_n;

  update bench.rows
  set balance = balance - 1
  where id = 100001 - p_n;

  insert into bench.bare (id, kind, created_at, processed_at)
  values (gen_random_uuid(), 'expiry', now(), p_n);

  insert into bench.bare (id, kind, created_at, processed_at)
  values (gen_random_uuid(), 'plan', now(), p_n);
end
$$;
