-- lock_customer: locks a Stripe customer's row, which it makes if it is not there.
--
-- Promises  The row is there, and nobody else's until the end of the transaction.
-- Locks     The customer's row. It comes before the user's in every function that locks both.
-- Races     Two first calls: one inserts, the other waits and finds the row.

create or replace function lock_customer(p_customer_id text, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  loop
    perform 1
    from stripe_customers
    where id = p_customer_id
    for update;

    exit when found;

    insert into stripe_customers (id, created_at)
    values (p_customer_id, p_now)
    on conflict (id) do nothing;

    exit when found;
  end loop;
end
$$;
