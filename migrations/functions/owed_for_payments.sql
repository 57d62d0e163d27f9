-- internal: called by our functions, not by farebox_app.
--
-- owed_for_payments: how much of what a user owes was taken back for payments.
--
-- Promises  What refunds and disputes have borrowed, and no bucket has lent.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function owed_for_payments(p_user_id text, p_unit text)
returns bigint
language plpgsql
stable
as $$
begin
  return (
    select coalesce(greatest(sum(borrowed) - sum(lent), 0), 0)::bigint
    from credit_buckets
    where user_id = p_user_id
      and unit = p_unit);
end
$$;
