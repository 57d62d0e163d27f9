-- forget_usage_keys: forgets what idempotency keys of more than a day ago were answered.
--
-- Promises  At most `p_batch` rows a call; answers how many.
-- Locks     The rows it deletes, skipping those that somebody else holds.
-- Races     Two runs at once share the work.

create or replace function forget_usage_keys(p_now call_time, p_batch page_size)
returns bigint
language sql
security definer
set search_path from current
as $$
  select require_service();

  with due as (
    select idempotency_key
    from usage_keys
    where created_at < p_now - interval '24 hours'
    limit p_batch
    for update skip locked
  ),
  forgotten as (
    delete from usage_keys
    using due
    where usage_keys.idempotency_key = due.idempotency_key
    returning usage_keys.idempotency_key
  )
  select count(*)
  from forgotten
$$;
