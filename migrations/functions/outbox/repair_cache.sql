-- repair_cache: Queues a push of a user's entitlement, after a push failed.
--
-- Promises  One message per user, due at once. Nothing for an unknown user.
-- Locks     The account, which the message references, then the message: the order of all writers.
-- Races     Two concurrent calls queue one message.

create or replace function repair_cache(p_user_id permitted_user, p_now call_time)
returns void
language sql
security definer
set search_path from current
as $$
  select enqueue('cache', format('cache:%s', id), id, '{}', p_now, p_now)
  from (
    select id
    from accounts
    where id = p_user_id
    for key share
  ) account
$$;
