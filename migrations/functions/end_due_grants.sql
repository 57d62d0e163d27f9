-- end_due_grants: what the last release calls in place of settle_due_users.
--
-- Promises  As settle_due_users.
-- Locks     As settle_due_users.
-- Races     As settle_due_users.

create or replace function end_due_grants(p_now call_time, p_batch page_size)
returns setof jsonb
language sql
security definer
set search_path from current
as $$
  select require_service();

  select settle_due_users(p_now, p_batch)
$$;
