-- refuse_change: stands before every change of a table to which rows are only ever added.
--
-- Promises  No row of the table is updated, deleted or truncated, not even by the table's owner.

create or replace function refuse_change()
returns trigger
language plpgsql
set search_path from current
as $$
begin
  raise exception using
    errcode = 'restrict_violation',
    message = format('%s is append-only: %s is refused', tg_table_name, lower(tg_op));
end
$$;

create or replace trigger no_change
  before update or delete on pricing_plan_versions
  for each row execute function refuse_change();

create or replace trigger no_truncate
  before truncate on pricing_plan_versions
  for each statement execute function refuse_change();

create or replace trigger no_change
  before update or delete on pricing_plan_prices
  for each row execute function refuse_change();

create or replace trigger no_truncate
  before truncate on pricing_plan_prices
  for each statement execute function refuse_change();

create or replace trigger no_change
  before update or delete on credit_pack_versions
  for each row execute function refuse_change();

create or replace trigger no_truncate
  before truncate on credit_pack_versions
  for each statement execute function refuse_change();
