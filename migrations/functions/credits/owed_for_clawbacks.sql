-- owed_for_clawbacks: how much of what a user owes was taken back for payments.
--
-- Promises  What refunds and disputes have borrowed, and no bucket has lent.
-- Locks     The caller holds the account's row.

create or replace function owed_for_clawbacks(p_user_id text, p_unit text)
returns bigint
language plpgsql
stable
as $$
begin
  return (
    select coalesce(greatest(sum(borrowed) - sum(lent), 0), 0)::bigint
    from credit_grants
    where user_id = p_user_id
      and unit = p_unit);
end
$$;
