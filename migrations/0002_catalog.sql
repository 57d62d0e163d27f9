-- The catalog: the plans and credit packs that are sold, and those that were sold before.
--
-- A version of a plan never changes and states everything it gives, so that a subscriber keeps what
-- they bought. The triggers of functions/core/refuse_change.sql enforce it. current_plans and current_packs
-- have the versions that are sold now.
-- Only publish_catalog() writes here. Every role may read: prices are public.

create table pricing_plan_versions (
  plan                text not null check (plan ~ '^[a-z][a-z0-9_-]{0,49}$'),
  version             integer not null check (version > 0),
  name                text not null check (length(name) between 1 and 100),
  description         text not null,
  rank                integer not null,
  trial_days          integer not null check (trial_days between 0 and 730),
  is_default          boolean not null,
  is_listed           boolean not null,
  past_due_grace_days integer not null check (past_due_grace_days between 0 and 365),
  history_keep_days   integer check (history_keep_days between 1 and 3650),
  history_max_entries bigint check (history_max_entries between 1 and 10000000),
  features            jsonb not null check (jsonb_typeof(features) = 'object'),
  digest              text not null,
  created_at          timestamptz not null,
  primary key (plan, version)
);

comment on table pricing_plan_versions is 'Every plan as it was ever sold. A row never changes.';
comment on column pricing_plan_versions.trial_days is 'Zero for no trial.';
comment on column pricing_plan_versions.is_default is 'The plan of users who pay nothing.';
comment on column pricing_plan_versions.is_listed is 'False for a plan that only operators give.';
comment on column pricing_plan_versions.history_keep_days is
  'How many days a history entry is kept. Null for no limit.';
comment on column pricing_plan_versions.history_max_entries is
  'The most entries that a history has. Null for no limit.';
comment on column pricing_plan_versions.features is
  'Every feature of the catalog by its key, with what this plan gives of it. A metered feature with
   a hard limit of 0 is not in the plan. A limit of null is unlimited.';
comment on column pricing_plan_versions.digest is 'SHA-256 of the version as it was published.';
comment on column pricing_plan_versions.plan is 'The plan''s key in the catalog.';
comment on column pricing_plan_versions.version is 'Counts the plan''s versions from 1.';
comment on column pricing_plan_versions.name is 'The name that customers see.';
comment on column pricing_plan_versions.description is 'A sentence for a pricing page.';
comment on column pricing_plan_versions.rank is 'Orders the plans: a change to a higher rank is an upgrade.';
comment on column pricing_plan_versions.past_due_grace_days is
  'For how many days a past due subscription keeps the plan.';
comment on column pricing_plan_versions.created_at is 'When the version was published.';

create domain billing_interval as text
  check (value in ('weekly', 'monthly', 'quarterly', 'yearly'));

create table pricing_plan_prices (
  plan              text not null,
  version           integer not null,
  interval          billing_interval not null,
  currency          text not null check (currency ~ '^[a-z]{3}$'),
  amount_minor      bigint not null check (amount_minor between 1 and 99999999),
  currency_amounts  jsonb not null check (jsonb_typeof(currency_amounts) = 'object'),
  per_seat          boolean not null,
  stripe_product_id text not null,
  stripe_price_id   text not null,
  primary key (plan, version, interval),
  foreign key (plan, version) references pricing_plan_versions (plan, version)
);

comment on table pricing_plan_prices is 'The price of a plan version, by interval.';
comment on column pricing_plan_prices.amount_minor is 'In the currency''s minor units, such as cents.';
comment on column pricing_plan_prices.currency_amounts is 'The same price in other currencies: {"eur": 899}.';
comment on column pricing_plan_prices.per_seat is 'The amount is for each seat.';
comment on column pricing_plan_prices.plan is 'The plan''s key in the catalog.';
comment on column pricing_plan_prices.version is 'The plan''s version.';
comment on column pricing_plan_prices.interval is 'The length of a billing period.';
comment on column pricing_plan_prices.currency is 'ISO 4217, in lower case.';
comment on column pricing_plan_prices.stripe_product_id is 'The Stripe product that the price belongs to.';
comment on column pricing_plan_prices.stripe_price_id is 'The Stripe price that a checkout uses.';

-- Not unique: versions that differ in something else share their price.
create index pricing_plan_prices_stripe_price on pricing_plan_prices (stripe_price_id);
create index pricing_plan_prices_stripe_product on pricing_plan_prices (stripe_product_id);

create table credit_pack_versions (
  pack               text not null check (pack ~ '^[a-z][a-z0-9_-]{0,49}$'),
  version            integer not null check (version > 0),
  name               text not null check (length(name) between 1 and 100),
  description        text not null,
  rank               integer not null,
  unit               text not null check (length(unit) between 1 and 50),
  credits            bigint not null check (credits > 0),
  expires_after_days integer check (expires_after_days > 0),
  currency           text not null check (currency ~ '^[a-z]{3}$'),
  amount_minor       bigint not null check (amount_minor between 1 and 99999999),
  currency_amounts   jsonb not null check (jsonb_typeof(currency_amounts) = 'object'),
  stripe_product_id  text not null,
  stripe_price_id    text not null,
  max_quantity       integer check (max_quantity between 1 and 10000),
  promotion_codes    boolean not null default false,
  digest             text not null,
  created_at         timestamptz not null,
  primary key (pack, version)
);

comment on table credit_pack_versions is 'Every credit pack as it was ever sold. A row never changes.';
comment on column credit_pack_versions.expires_after_days is 'Null if its credits do not expire.';
comment on column credit_pack_versions.max_quantity is
  'The most that one checkout sells. Null for no maximum.';
comment on column credit_pack_versions.promotion_codes is 'True if its checkout accepts promotion codes.';
comment on column credit_pack_versions.pack is 'The pack''s key in the catalog.';
comment on column credit_pack_versions.version is 'Counts the pack''s versions from 1.';
comment on column credit_pack_versions.name is 'The name that customers see.';
comment on column credit_pack_versions.description is 'A sentence for a pricing page.';
comment on column credit_pack_versions.rank is 'Orders the packs on a pricing page.';
comment on column credit_pack_versions.unit is 'The credits that the pack sells, such as `ai_credit`.';
comment on column credit_pack_versions.credits is 'How many credits one pack gives.';
comment on column credit_pack_versions.currency is 'ISO 4217, in lower case.';
comment on column credit_pack_versions.amount_minor is
  'The price of one pack, in the currency''s minor units.';
comment on column credit_pack_versions.currency_amounts is
  'The same price in other currencies: {"eur": 899}.';
comment on column credit_pack_versions.stripe_product_id is 'The Stripe product that the price belongs to.';
comment on column credit_pack_versions.stripe_price_id is 'The Stripe price that a checkout uses.';
comment on column credit_pack_versions.digest is 'SHA-256 of the version as it was published.';
comment on column credit_pack_versions.created_at is 'When the version was published.';

create index credit_pack_versions_stripe_price on credit_pack_versions (stripe_price_id);
create index credit_pack_versions_stripe_product on credit_pack_versions (stripe_product_id);

create table current_plans (
  plan    text primary key,
  version integer not null,
  foreign key (plan, version) references pricing_plan_versions (plan, version)
);

comment on table current_plans is
  'The version of each plan that is sold now. A plan that is not sold is absent.';
comment on column current_plans.plan is 'The plan''s key in the catalog.';
comment on column current_plans.version is 'The version that is sold now.';

create table current_packs (
  pack    text primary key,
  version integer not null,
  foreign key (pack, version) references credit_pack_versions (pack, version)
);

comment on table current_packs is
  'The version of each pack that is sold now. A pack that is not sold is absent.';
comment on column current_packs.pack is 'The pack''s key in the catalog.';
comment on column current_packs.version is 'The version that is sold now.';

create table plan_terms (
  plan     text not null,
  version  integer not null,
  features jsonb not null,
  primary key (plan, version)
);

comment on table plan_terms is
  'The features of each plan version under the current catalog.
   publish_catalog() computes them once, because every read needs them.';
comment on column plan_terms.plan is 'The plan''s key in the catalog.';
comment on column plan_terms.version is 'The plan''s version.';
comment on column plan_terms.features is
  'Every feature of the current catalog by its key, with what this version gives of it.';

-- A new default plan changes the entitlement of every user without a subscription. The next call for an
-- account recomputes it, or the minute job does, batch by batch.
create table catalog_state (
  is_the_only_row  boolean primary key default true check (is_the_only_row),
  epoch            bigint not null,
  marked_until     text,
  has_app_webhooks boolean not null default false
);

insert into catalog_state (epoch)
values (0);

comment on table catalog_state is 'The progress of applying a new default plan to the accounts.';
comment on column catalog_state.epoch is 'Grows with every change of the default plan.';
comment on column catalog_state.marked_until is
  'The minute job has marked the accounts up to this one as due. Null if none needs to be marked.';
comment on column catalog_state.is_the_only_row is 'Always true: the table has one row.';
comment on column catalog_state.has_app_webhooks is
  'True if the app''s server gets webhooks, as the minute job last found the settings. It is in this small
   table so that a statement that changes a user reads it, without another statement.';

create view pricing_plans
with (security_invoker = true)
as
select
  v.plan,
  v.version,
  v.name,
  v.description,
  v.rank,
  p.interval,
  p.currency,
  p.amount_minor,
  p.currency_amounts,
  p.per_seat,
  v.trial_days,
  v.is_listed,
  v.past_due_grace_days,
  v.features,
  p.stripe_product_id,
  p.stripe_price_id
from current_plans c
join pricing_plan_versions v on v.plan = c.plan and v.version = c.version
join pricing_plan_prices p on p.plan = c.plan and p.version = c.version;

comment on view pricing_plans is 'The paid plans that are sold now, a row for each interval.';
comment on column pricing_plans.plan is 'The plan''s key in the catalog.';
comment on column pricing_plans.version is 'The version that is sold now.';
comment on column pricing_plans.name is 'The name that customers see.';
comment on column pricing_plans.description is 'A sentence for a pricing page.';
comment on column pricing_plans.rank is 'Orders the plans: a change to a higher rank is an upgrade.';
comment on column pricing_plans.interval is 'The length of a billing period.';
comment on column pricing_plans.currency is 'ISO 4217, in lower case.';
comment on column pricing_plans.amount_minor is 'The price of one period, in the currency''s minor units.';
comment on column pricing_plans.currency_amounts is 'The same price in other currencies: {"eur": 899}.';
comment on column pricing_plans.per_seat is 'The amount is for each seat.';
comment on column pricing_plans.trial_days is 'Zero for no trial.';
comment on column pricing_plans.is_listed is 'False for a plan that only operators give.';
comment on column pricing_plans.past_due_grace_days is
  'For how many days a past due subscription keeps the plan.';
comment on column pricing_plans.features is
  'Every feature of the catalog by its key, with what this plan gives of it.';
comment on column pricing_plans.stripe_product_id is 'The Stripe product that the price belongs to.';
comment on column pricing_plans.stripe_price_id is 'The Stripe price that a checkout uses.';

create view default_plan
with (security_invoker = true)
as
select v.plan, v.version, v.created_at
from current_plans c
join pricing_plan_versions v using (plan, version)
where v.is_default;

comment on view default_plan is
  'The plan of users who pay nothing: at most one row. They always have its current version.';
comment on column default_plan.plan is 'The plan''s key in the catalog.';
comment on column default_plan.version is 'The version that is in effect now.';
comment on column default_plan.created_at is 'When the version was published.';

create view credit_packs
with (security_invoker = true)
as
select
  v.pack,
  v.version,
  v.name,
  v.description,
  v.rank,
  v.unit,
  v.credits,
  v.expires_after_days,
  v.currency,
  v.amount_minor,
  v.currency_amounts,
  v.stripe_product_id,
  v.stripe_price_id,
  v.max_quantity,
  v.promotion_codes
from current_packs c
join credit_pack_versions v on v.pack = c.pack and v.version = c.version;

comment on view credit_packs is 'The credit packs that are sold now.';
comment on column credit_packs.pack is 'The pack''s key in the catalog.';
comment on column credit_packs.version is 'The version that is sold now.';
comment on column credit_packs.name is 'The name that customers see.';
comment on column credit_packs.description is 'A sentence for a pricing page.';
comment on column credit_packs.rank is 'Orders the packs on a pricing page.';
comment on column credit_packs.unit is 'The credits that the pack sells, such as `ai_credit`.';
comment on column credit_packs.credits is 'How many credits one pack gives.';
comment on column credit_packs.expires_after_days is 'Null if its credits do not expire.';
comment on column credit_packs.currency is 'ISO 4217, in lower case.';
comment on column credit_packs.amount_minor is 'The price of one pack, in the currency''s minor units.';
comment on column credit_packs.currency_amounts is 'The same price in other currencies: {"eur": 899}.';
comment on column credit_packs.stripe_product_id is 'The Stripe product that the price belongs to.';
comment on column credit_packs.stripe_price_id is 'The Stripe price that a checkout uses.';
comment on column credit_packs.max_quantity is 'The most that one checkout sells. Null for no maximum.';
comment on column credit_packs.promotion_codes is 'True if its checkout accepts promotion codes.';
