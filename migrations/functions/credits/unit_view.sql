-- unit_view: what a user holds of one unit, in the form in which it is pushed to the cache.
--
-- Promises  The balance, which the caller has at hand, and how much of it goes first, and when; nulls if none
--           of it does. Runs with its caller's rights.
-- Races     Who changes it holds the user's row.

create or replace function unit_view(p_user_id permitted_user, p_unit text, p_balance bigint)
returns jsonb
language plpgsql
stable
as $$
declare
  v_expiring record;
begin
  select expires_at, sum(remaining)::bigint as amount
  into v_expiring
  from credit_grants
  where user_id = p_user_id
    and unit = p_unit
    and is_open
    and expires_at is not null
  group by expires_at
  order by expires_at
  limit 1;

  return jsonb_build_object(
    'balance', p_balance,
    'expires_at', v_expiring.expires_at,
    'expiring', v_expiring.amount);
end
$$;
