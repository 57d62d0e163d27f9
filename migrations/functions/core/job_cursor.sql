-- job_cursor: Returns the position at which the next run of a job continues.
--
-- Promises  Null if the job starts from the beginning. Runs with its caller's rights.

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
