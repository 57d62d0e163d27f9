-- expire_credits: takes the credits whose time is over.
--
-- Promises  What is left in an expired bucket is taken, in a row of the ledger of its own, however late
--           this is called. Calling it again changes nothing.
-- Locks     The caller holds the account's row.

create or replace function expire_credits(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_grant credit_grants;
begin
  for v_grant in
    select *
    from credit_grants
    where user_id = p_user_id
      and is_open
      and expires_at <= p_now
    order by expires_at, priority, id
  loop
    perform take_from_grant(v_grant, v_grant.remaining, 'expiry', p_now);
  end loop;
end
$$;
