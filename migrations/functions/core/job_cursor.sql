-- job_cursor: where a job that takes several runs goes on.
--
-- Promises  Null where it begins at the beginning. Runs with its caller's rights.

create or replace function job_cursor(p_job text)
returns text
language sql
stable
set search_path from current
as $$
  select cursor
  from job_cursors
  where job = p_job
$$;
