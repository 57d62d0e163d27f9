-- finish_job: Ends a server's run of a job, so that the next scheduled time can be claimed.
--
-- Promises  Changes nothing if another server has claimed the job since. A repeated call changes nothing.
-- Locks     The job's row.

create or replace function finish_job(p_job text, p_holder text, p_due_at call_time)
returns void
language sql
security definer
set search_path from current
as $$
  select require_service();

  update job_runs
  set leased_until = null
  where job = p_job
    and holder = p_holder
    and due_at = p_due_at
$$;
