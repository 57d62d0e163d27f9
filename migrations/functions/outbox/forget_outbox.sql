-- forget_outbox: forgets what others were told more than 30 days ago.
--
-- Promises  At most `p_batch` rows a call; answers how many. What was given up stays.
-- Locks     The rows it deletes, skipping those that somebody else holds.
-- Races     Two runs at once share the work.

create or replace function forget_outbox(p_now call_time, p_batch page_size)
returns bigint
language sql
security definer
set search_path from current
as $$
  select require_service();

  with due as (
    select id
    from outbox
    where done_at < p_now - interval '30 days'
    limit p_batch
    for update skip locked
  ),
  forgotten as (
    delete from outbox
    using due
    where outbox.id = due.id
    returning outbox.id
  )
  select count(*)
  from forgotten
$$;
