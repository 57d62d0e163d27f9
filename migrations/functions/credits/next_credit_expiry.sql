-- next_credit_expiry: Returns the time at which a user's next open credits expire.
--
-- Promises  `infinity` if none expire.
-- Locks     The caller holds the account and has opened the wallets.

create or replace function next_credit_expiry(p_user_id text)
returns timestamptz
language plpgsql
stable
as $$
begin
  return (
    select coalesce(min(next.expires_at), 'infinity')
    from wallets w
    cross join lateral (
      select g.expires_at
      from credit_grants g
      where g.user_id = w.user_id
        and g.unit = w.unit
        and g.is_open
      order by g.expires_at
      limit 1
    ) next
    where w.user_id = p_user_id);
end
$$;
