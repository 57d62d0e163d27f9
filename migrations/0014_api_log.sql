-- The log of API calls, for analytics.

-- Rows outlive their user: erase_user() clears `user_id`. So the column references no account.
create table api_log (
  called_at   timestamptz not null,
  id          uuid not null,
  route       text not null,
  method      text not null,
  status      integer not null,
  error_code  text,
  event_type  text,
  duration_us bigint not null,
  caller      text not null,
  user_id     text,
  weight      integer not null,
  primary key (called_at, id)
)
partition by range (called_at);

comment on table api_log is
  'API calls. The minute job stores them here. The setting `API_LOG` decides which calls are logged.';
comment on column api_log.called_at is 'The time of the answer.';
comment on column api_log.id is 'A random id, by which a call is stored once.';
comment on column api_log.route is
  'The name of the route in the endpoint table, such as `mood`; `unknown` for any other path.';
comment on column api_log.method is 'The HTTP method; `OTHER` if it is not a common one.';
comment on column api_log.status is 'The HTTP status of the answer.';
comment on column api_log.error_code is
  'The code of the error that was answered, or of the failure that made a Stripe event a dead letter.';
comment on column api_log.event_type is 'The type of the Stripe event, for calls of the webhook.';
comment on column api_log.duration_us is 'Microseconds from the arrival of the request to its answer.';
comment on column api_log.caller is 'Who called: `user`, `service`, `cron` or `anyone`.';
comment on column api_log.user_id is
  'The owner that the call was about: a user or an organisation. Null without one, and once it is erased.';
comment on column api_log.weight is
  'The number of calls that this row represents: 10 if one call in ten is logged. Add up weights, not rows.';

create table api_log_default partition of api_log default;

comment on table api_log_default is 'The calls of days without a partition.';

-- For erase_user(), and for the calls of one user.
create index api_log_user
  on api_log (user_id, called_at desc)
  where user_id is not null;

alter table api_log enable row level security;
alter table api_log_default enable row level security;

create policy every_row on api_log
  for select to farebox_reader
  using (true);

create policy service_only on api_log
  for select to farebox_app
  using (nullif(current_setting('farebox.user_id', true), '') is null);

insert into retention (table_name, time_column, keep, partitioned_by)
values ('api_log', 'called_at', '30 days', 'day');
