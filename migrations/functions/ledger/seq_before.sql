-- seq_before: the number of a user's row of the ledger before a given one.
--
-- Promises  Zero if that is the first.

create or replace function seq_before(p_user_id text, p_seq bigint)
returns bigint
language plpgsql
stable
as $$
begin
  return (
    select coalesce(max(seq), 0)
    from credit_transactions
    where user_id = p_user_id
      and seq < p_seq);
end
$$;
