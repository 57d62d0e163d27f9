-- save_job_cursor: Stores the position at which the next run of a job continues; null to start over.
--
-- Promises  One row per job.
-- Locks     The job's row.
-- Races     Of two concurrent runs, the last to store its position wins. The next run may repeat work.

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
