-- farebox_now: the time, for SQL that is handed none.
--
-- Promises  The transaction's time; on a local stack, whose clock can be moved, that clock's. Only the
--           owner of the tables can move it.

create or replace function farebox_now()
returns timestamptz
language sql
stable
set search_path from current
as $$
  select now() + coalesce((select ahead from local_clock), interval '0')
$$;
