-- farebox_now: Returns the current time, for views and functions without a time parameter.
--
-- Promises  The transaction's time. On a local stack, the time of its clock, which only the owner of the
--           tables can move.

create or replace function farebox_now()
returns timestamptz
language sql
stable
set search_path from current
as $$
  select now() + coalesce((select ahead from local_clock), interval '0')
$$;
