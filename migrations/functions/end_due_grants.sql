-- end_due_grants: what the last release calls in place of settle_due_users.
--
-- Promises  As settle_due_users.
-- Locks     As settle_due_users.
-- Races     As settle_due_users.

create or replace function end_due_grants(p_now timestamptz, p_batch integer)
returns setof jsonb
language sql
security definer
set search_path from current
as $$
  select settle_due_users(p_now, p_batch)
$$;
