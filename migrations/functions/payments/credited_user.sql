-- credited_user: who was given the credits of a payment, and from whom they are taken back.
--
-- Promises  Null if nobody was, or somebody who was erased.
-- Races     Who posts to the ledger holds the user's row, and looks again.

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
