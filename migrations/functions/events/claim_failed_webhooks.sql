-- claim_failed_webhooks: takes dead letters whose time has come, to be tried again.
--
-- Promises  At most `p_limit`, each as {id, payload}, and to nobody else for two minutes: whoever took
--           them and ended midway loses nothing but that time.
-- Locks     Their rows, skipping those that somebody else holds.
-- Races     Two runs at once share the work.

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
