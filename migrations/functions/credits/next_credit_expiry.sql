-- next_credit_expiry: when the first of a user's credits go, if nobody spends them before.
--
-- Promises  Null if none do.
-- Races     Who changes them holds the user's row.

create or replace function next_credit_expiry(p_user_id text)
returns timestamptz
language plpgsql
stable
as $$
begin
  return (
    select min(expires_at)
    from credit_grants
    where user_id = p_user_id
      and is_open);
end
$$;
