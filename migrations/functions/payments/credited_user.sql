-- credited_user: Returns the user who got the credits of a payment, from whom a clawback takes them.
--
-- Promises  Null if no user got them, or if that user was erased.
-- Races     A caller that posts to the ledger holds the account, and calls this again.

create or replace function credited_user(p_payment_id text)
returns text
language plpgsql
stable
as $$
begin
  return (
    select user_id
    from credit_transactions
    where payment_id = p_payment_id
      and user_id not like 'erased:%'
    limit 1);
end
$$;
