-- Previews of subscription changes, which their user can confirm.

create table subscription_previews (
  id               uuid primary key default gen_random_uuid(),
  user_id          text not null references accounts (id) on delete cascade,
  change           jsonb not null,
  steps            jsonb not null,
  proration_date   timestamptz not null,
  total_minor      bigint not null,
  amount_due_minor bigint not null,
  created_at       timestamptz not null,
  expires_at       timestamptz not null
);

comment on table subscription_previews is
  'Changes of a subscription whose price Stripe has computed. A row never changes. It reserves nothing, and
   does not prevent other changes or purchases.';
comment on column subscription_previews.id is 'The `previewId` of the API.';
comment on column subscription_previews.user_id is 'The only user who can confirm it.';
comment on column subscription_previews.change is 'The requested change, as subscription_steps takes it.';
comment on column subscription_previews.steps is
  'The result of subscription_steps for the change. The preview is outdated once the result is another.';
comment on column subscription_previews.proration_date is
  'The time to which Stripe prorated. The confirmed change sends it again, so that it costs the same.';
comment on column subscription_previews.total_minor is
  'The total of the invoice that the change leads to at once; zero if it leads to none.';
comment on column subscription_previews.amount_due_minor is
  'What that invoice charges, after the customer''s balance.';
comment on column subscription_previews.created_at is
  'When it was made. The daily job deletes it a day later.';
comment on column subscription_previews.expires_at is 'From then on it cannot be confirmed.';

create index subscription_previews_user on subscription_previews (user_id, expires_at);

alter table subscription_previews enable row level security;

create policy every_row on subscription_previews
  for select to farebox_reader
  using (true);

create policy own_rows on subscription_previews
  for select to farebox_app
  using (
    nullif(current_setting('farebox.user_id', true), '') is null
    or user_id = nullif(current_setting('farebox.user_id', true), '')
  );

create policy rows_of_identity on subscription_previews
  for select to farebox_user
  using (user_id = nullif(current_setting('farebox.user_id', true), ''));

insert into retention (table_name, time_column, keep)
values ('subscription_previews', 'created_at', '1 day');
