-- forget_payloads: forgets what is in dead letters of more than 30 days ago, and those dealt with as
-- long ago altogether.
--
-- Promises  At most `p_batch` rows a call; answers how many. One that is still open stays, without its
--           payload, for a person to resolve.
-- Locks     The rows it changes, skipping those that somebody else holds.
-- Races     Two runs at once share the work.

create or replace function forget_payloads(p_now call_time, p_batch page_size)
returns bigint
language sql
security definer
set search_path from current
as $$
  select require_service();

  with due as (
    select id, coalesce(resolved_at < p_now - interval '30 days', false) as is_over
    from failed_webhooks
    where failed_at < p_now - interval '30 days'
      and (payload is not null or resolved_at < p_now - interval '30 days')
    limit p_batch
    for update skip locked
  ),
  deleted as (
    delete from failed_webhooks f
    using due
    where f.id = due.id
      and due.is_over
  ),
  forgotten as (
    update failed_webhooks f
    set payload = null,
        next_try_at = null
    from due
    where f.id = due.id
      and not due.is_over
  )
  select count(*)
  from due
$$;
