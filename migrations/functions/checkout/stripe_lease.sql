-- stripe_lease: Returns how long a caller may work on a request to Stripe.
--
-- Promises  Longer than a route spends on Stripe: a caller loses its lease only after it has stopped.

create or replace function stripe_lease()
returns interval
language sql
immutable
as $$
  select interval '30 seconds'
$$;
