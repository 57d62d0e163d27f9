-- stripe_lease: for how long a request to Stripe belongs to whoever began it.
--
-- Promises  Longer than a route spends on Stripe, so that only one who is gone loses it.

create or replace function stripe_lease()
returns interval
language sql
immutable
as $$
  select interval '30 seconds'
$$;
