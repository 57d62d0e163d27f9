-- What a pack's catalog says of its sale, and every charge of a payment.

alter table credit_pack_versions
  add column max_quantity integer check (max_quantity between 1 and 10000),
  add column promotion_codes boolean not null default false;

comment on column credit_pack_versions.max_quantity is 'The most that one checkout sells; null has no limit of its own.';
comment on column credit_pack_versions.promotion_codes is 'Whether its checkout takes promotion codes.';

create or replace view credit_packs
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

alter table payments
  add column other_charges text[];

comment on column payments.charge_id is 'The charge that was heard of first.';
comment on column payments.other_charges is 'Each further attempt to pay makes another charge, which a dispute may name.';
