-- The runs of scheduled jobs, which servers with `farebox serve --jobs` share.

create table job_runs (
  job          text primary key,
  due_at       timestamptz not null,
  holder       text not null,
  leased_until timestamptz
);

comment on table job_runs is
  'The last run of each job. Of several servers, the one that changes the row runs the job.';
comment on column job_runs.due_at is 'The scheduled time of the last run that a server started.';
comment on column job_runs.holder is 'The server of that run: an id that lasts as long as its process.';
comment on column job_runs.leased_until is
  'Null once the run has ended. After this time a server repeats the run, because its server was killed.';
comment on column job_runs.job is 'The job''s name.';

alter table job_runs enable row level security;

create policy every_row on job_runs
  for select to farebox_reader
  using (true);

create policy service_only on job_runs
  for select to farebox_app
  using (nullif(current_setting('farebox.user_id', true), '') is null);
