-- refuse_change: Refuses every change of a row in an append-only table.
--
-- Takes     `allow_erasure`, as the trigger's argument, for a table whose rows name a user.
-- Promises  No row is updated, deleted or truncated, not even by the table's owner. `allow_erasure` permits
--           two changes, both by erase_user: it replaces the user's id by a pseudonym and clears `reason`,
--           `metadata` and `actor_id`; and it clears `actor_id` where that is the user's id.

create or replace function refuse_change()
returns trigger
language plpgsql
as $$
declare
  v_old jsonb := to_jsonb(old);
  v_new jsonb := to_jsonb(new);
begin
  if tg_argv[0] = 'allow_erasure'
     and tg_op = 'UPDATE'
     and v_old ->> 'actor_id' = nullif(current_setting('farebox.erasing', true), '')
     and v_new = v_old || '{"actor_id": null}'
  then
    return new;
  end if;

  if tg_argv[0] = 'allow_erasure'
     and tg_op = 'UPDATE'
     and v_old ->> 'user_id' = nullif(current_setting('farebox.erasing', true), '')
     and v_new ->> 'user_id' like 'erased:%'
     and v_new - 'user_id' in (
       v_old - 'user_id',
       v_old - 'user_id' || '{"reason": null, "metadata": null, "actor_id": null}')
  then
    return new;
  end if;

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

create or replace trigger no_change
  before update or delete on credit_transactions
  for each row execute function refuse_change('allow_erasure');

create or replace trigger no_truncate
  before truncate on credit_transactions
  for each statement execute function refuse_change();

create or replace trigger no_change
  before update or delete on billing_events
  for each row execute function refuse_change('allow_erasure');

create or replace trigger no_truncate
  before truncate on billing_events
  for each statement execute function refuse_change();
