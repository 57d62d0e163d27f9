-- lock_customer: Locks a Stripe customer, and creates its row if it is missing.
--
-- Promises  Returns the customer's user, null until the customer is claimed, and whether that user was
--           erased. Neither changes until the end of the transaction.
-- Locks     The customer. It comes before the account in every function that locks both.
-- Races     Of two first calls, one inserts the row, and the other waits for it. A call that waited for an
--           erasure finds no row, creates one, and looks again.

create or replace function lock_customer(
  p_customer_id text,
  p_now         timestamptz,
  out user_id   text,
  out is_erased boolean
)
language plpgsql
as $$
begin
  loop
    select c.user_id, exists (
      select 1
      from erased_customers e
      where e.id_sha256 = sha256(convert_to(p_customer_id, 'UTF8')))
    into user_id, is_erased
    from stripe_customers c
    where c.id = p_customer_id
    for update;

    exit when found;

    insert into stripe_customers (id, created_at)
    values (p_customer_id, p_now)
    on conflict (id) do nothing;
  end loop;
end
$$;
