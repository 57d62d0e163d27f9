-- effective_now: the time at which a user's plan is looked at.
--
-- Promises  Never before the plan was last changed, nor before the latest period that credits were given for:
--           whoever waited for the row comes after whoever held it, though their clock was read before. A
--           period that has begun is not begun again.
-- Locks     The caller holds the account's row.

create or replace function effective_now(p_user_id text, p_now timestamptz)
returns timestamptz
language plpgsql
stable
as $$
begin
  return greatest(
    p_now,
    (
      select updated_at
      from entitlements
      where user_id = p_user_id
    ),
    (
      select max(period_start)
      from credit_grants
      where user_id = p_user_id
    ));
end
$$;
