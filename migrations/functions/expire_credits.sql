-- internal: called by our functions, not by farebox_app.
--
-- expire_credits: takes the credits whose time is over.
--
-- Promises  What is left in an expired bucket is taken, in a row of the ledger of its own, however late
--           this is called. Calling it again changes nothing.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function expire_credits(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_bucket credit_buckets;
begin
  for v_bucket in
    select *
    from credit_buckets
    where user_id = p_user_id
      and is_open
      and expires_at <= p_now
    order by expires_at, priority, id
  loop
    perform take_from_bucket(v_bucket, v_bucket.remaining, 'expiry', p_now);
  end loop;
end
$$;
