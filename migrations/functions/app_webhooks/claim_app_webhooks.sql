-- claim_app_webhooks: Leases the queues of webhooks to the app that are due, and returns the next message of
--                     each.
--
-- Promises  At most `p_limit` messages, one per user, the longest due first: the oldest that was neither
--           delivered nor given up. No other caller gets that user's messages for `p_lease_seconds`;
--           finish_app_webhooks takes the end of the lease. An `entitlement.updated` gets its payload here,
--           once. The cost does not depend on how many messages a user has. `p_now` decides what is due.
--           Leases use the database's clock, as those of claim_outbox do.
-- Locks     The queues. It skips locked ones.
-- Races     Concurrent callers share the work. A queue whose worker stopped is due when its lease ends, with
--           the same message. The messages are read in a statement after the one that locked the queues, so
--           that no message is missed that was committed before the lock.

create or replace function claim_app_webhooks(
  p_now           call_time,
  p_limit         page_size,
  p_lease_seconds lease_seconds
)
returns setof jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_leased_until timestamptz := clock_timestamp() + make_interval(secs => p_lease_seconds);
  v_users        text[];
begin
  perform require_service();

  with due as (
    select user_id
    from app_webhook_queues
    where due_at <= p_now
      and (leased_until is null or leased_until <= now())
    order by due_at
    limit p_limit
    for update skip locked
  ),
  leased as (
    update app_webhook_queues q
    set leased_until = v_leased_until
    from due
    where q.user_id = due.user_id
    returning q.user_id
  )
  select array_agg(user_id)
  into v_users
  from leased;

  if v_users is null then
    return;
  end if;

  return query
  with next as (
    select message.id
    from unnest(v_users) owner (user_id)
    cross join lateral (
      select id
      from app_webhooks
      where user_id = owner.user_id
        and delivered_at is null
        and failed_at is null
      order by seq
      limit 1
    ) message
  )
  update app_webhooks w
  set attempts = attempts + 1,
      payload = coalesce(w.payload, known_entitlement(w.user_id, p_now))
  from next
  where w.id = next.id
  returning jsonb_build_object(
    'id', w.id,
    'type', w.type,
    'user_id', w.user_id,
    'payload', w.payload,
    'occurred_at', w.occurred_at,
    'retry_until', w.retry_until,
    'attempts', w.attempts,
    'leased_until', v_leased_until);

  delete from app_webhook_queues q
  where q.user_id = any (v_users)
    -- In this order one message is read by an index. `not exists` may read the whole table.
    and (
      select seq
      from app_webhooks
      where user_id = q.user_id
        and delivered_at is null
        and failed_at is null
      order by seq
      limit 1) is null;
end
$$;
