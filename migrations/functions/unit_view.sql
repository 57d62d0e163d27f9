-- unit_view: what a user holds of one unit, in the form in which it is pushed to the cache.
--
-- Promises  The balance, and how much of it goes first, and when; nulls if none of it does. Runs with its
--           caller's rights.
-- Locks     None.
-- Races     Who changes it holds the user's row.

create or replace function unit_view(p_user_id text, p_unit text)
returns jsonb
language plpgsql
stable
set search_path from current
as $$
declare
  v_balance  bigint;
  v_expiring record;
begin
  select balance
  into v_balance
  from credit_balances
  where user_id = p_user_id
    and unit = p_unit;

  select expires_at, sum(remaining)::bigint as amount
  into v_expiring
  from credit_buckets
  where user_id = p_user_id
    and unit = p_unit
    and is_open
    and expires_at is not null
  group by expires_at
  order by expires_at
  limit 1;

  return jsonb_build_object(
    'balance', coalesce(v_balance, 0),
    'expires_at', v_expiring.expires_at,
    'expiring', v_expiring.amount);
end
$$;
