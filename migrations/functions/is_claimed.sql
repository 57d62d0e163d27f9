-- internal: called by our functions, not by farebox_app.
--
-- is_claimed: whether it is known whose a Stripe customer is.
--
-- Promises  False for one who is not there.
-- Locks     None of its own: the caller holds the customer's row.
-- Races     The customer's row puts callers in line.

create or replace function is_claimed(p_customer_id text)
returns boolean
language plpgsql
stable
as $$
begin
  return exists (
    select 1
    from stripe_customers
    where id = p_customer_id
      and user_id is not null);
end
$$;
