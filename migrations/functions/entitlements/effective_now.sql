-- effective_now: Returns the time at which a user's plan is evaluated.
--
-- Promises  Never before the last change of the plan, nor before the latest period that credits were granted
--           for. So a caller that waited for the lock comes after the one that held it, even if its own time
--           is earlier, and a period does not begin twice.
-- Locks     The caller holds the account.

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
