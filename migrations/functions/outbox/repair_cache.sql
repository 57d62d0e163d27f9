-- repair_cache: has what a user has shown later, since it could not be shown now.
--
-- Promises  One row of the outbox a user, due at once.
-- Locks     The user's row, which the row of the outbox refers to, and that row: in the order of all others.
-- Races     Two calls at once arm the same row.

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
  ) known
$$;
