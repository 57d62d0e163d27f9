-- customers_of: Returns the ids of a user's Stripe customers.
--
-- Promises  Empty if the user has none.

create or replace function customers_of(p_user_id text)
returns text[]
language plpgsql
stable
as $$
begin
  return array(
    select id
    from stripe_customers
    where user_id = p_user_id
    union
    select stripe_customer_id
    from accounts
    where id = p_user_id
      and stripe_customer_id is not null);
end
$$;
