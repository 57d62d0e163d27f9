-- forget_history_keys: forgets idempotency keys of more than a day ago.
--
-- Promises  At most `p_batch` rows a call; answers how many.
-- Locks     The rows it changes, skipping those that somebody else holds.
-- Races     Two runs at once share the work.

create or replace function forget_history_keys(p_now call_time, p_batch page_size)
returns bigint
language sql
security definer
set search_path from current
as $$
  select require_service();

  with due as (
    select id
    from history
    where idempotency_key is not null
      and created_at < p_now - interval '24 hours'
    limit p_batch
    for update skip locked
  ),
  forgotten as (
    update history
    set idempotency_key = null,
        fingerprint = null
    from due
    where history.id = due.id
    returning history.id
  )
  select count(*)
  from forgotten
$$;
