-- claim_failed_webhooks: Claims the dead letters that are due for a retry.
--
-- Promises  Returns at most `p_limit`, each as {id, payload}. No other caller gets them for two minutes; if
--           the caller stops, they are due again after that.
-- Locks     The dead letters it claims. It skips locked ones.
-- Races     Concurrent runs share the work.

create or replace function claim_failed_webhooks(p_now call_time, p_limit page_size)
returns setof jsonb
language sql
security definer
set search_path from current
as $$
  select require_service();

  with due as (
    select id
    from failed_webhooks
    where resolved_at is null
      and next_try_at <= p_now
      and payload is not null
    order by next_try_at, id
    limit p_limit
    for update skip locked
  )
  update failed_webhooks f
  set next_try_at = p_now + interval '2 minutes',
      retried_at = p_now
  from due
  where f.id = due.id
  returning jsonb_build_object('id', f.id, 'payload', f.payload)
$$;
