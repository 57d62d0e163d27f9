-- save_job_cursor: writes down where a job goes on; null, that it begins again.
--
-- Promises  One row a job.
-- Locks     The job's row.
-- Races     Of two runs at once the last one counts: what lies between is gone over twice.

create or replace function save_job_cursor(p_job text, p_cursor text, p_now call_time)
returns void
language sql
security definer
set search_path from current
as $$
  select require_service();

  insert into job_cursors (job, cursor, updated_at)
  values (p_job, p_cursor, p_now)
  on conflict (job) do update
  set cursor = excluded.cursor,
      updated_at = excluded.updated_at
$$;
