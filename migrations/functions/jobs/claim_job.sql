-- claim_job: Decides whether a server runs a job that is due.
--
-- Takes     The scheduled time (`p_due_at`) and an id of the server (`p_holder`).
-- Promises  Returns `claimed`, `running` or `done`. After `claimed`, the caller runs the job and calls
--           finish_job. No other server gets a claim on the job for `p_lease_seconds`, which must be longer
--           than a run. A scheduled time is claimed again only if no finish_job came before its lease ended:
--           the server was killed, or could not reach Postgres. `running` means that the caller should ask
--           again, `done` that this scheduled time needs no run. A repeated call by the holder of the lease
--           is `claimed`, because the first answer may have been lost.
-- Locks     The job's row.
-- Races     One of several concurrent callers gets `claimed`.

create or replace function claim_job(
  p_job           text,
  p_due_at        call_time,
  p_holder        text,
  p_now           call_time,
  p_lease_seconds lease_seconds
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
begin
  perform require_service();

  insert into job_runs as last (job, due_at, holder, leased_until)
  values (p_job, p_due_at, p_holder, p_now + make_interval(secs => p_lease_seconds))
  on conflict (job) do update
  set due_at = excluded.due_at,
      holder = excluded.holder,
      leased_until = excluded.leased_until
  where last.due_at <= excluded.due_at
    and case
      when last.leased_until is null then last.due_at < excluded.due_at
      else last.leased_until <= p_now or last.holder = excluded.holder
    end;

  if found then
    return '"claimed"';
  end if;

  return (
    select case
      when leased_until is null and due_at >= p_due_at then '"done"'::jsonb
      else '"running"'
    end
    from job_runs
    where job = p_job);
end
$$;
