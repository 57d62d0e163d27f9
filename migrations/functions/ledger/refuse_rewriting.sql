-- refuse_rewriting: stands before every change of the ledger and of the audit trail of billing.
--
-- Promises  No row is updated, deleted or truncated, not even by the table's owner. One change is allowed:
--           an erasure (erase_user) replaces the user's id by one that says nothing, and clears what was
--           written to a row of the ledger in words, `reason` and `metadata`.

create or replace function refuse_rewriting()
returns trigger
language plpgsql
set search_path from current
as $$
begin
  if tg_op = 'UPDATE'
     and to_jsonb(new) - 'user_id' in (
       to_jsonb(old) - 'user_id',
       to_jsonb(old) - 'user_id' || '{"reason": null, "metadata": null}')
     and old.user_id = nullif(current_setting('farebox.erasing', true), '')
     and new.user_id like 'erased:%'
  then
    return new;
  end if;

  raise exception using
    errcode = 'restrict_violation',
    message = format('%s is append-only: %s is refused', tg_table_name, lower(tg_op));
end
$$;

create or replace trigger no_change
  before update or delete on credit_transactions
  for each row execute function refuse_rewriting();

create or replace trigger no_truncate
  before truncate on credit_transactions
  for each statement execute function refuse_rewriting();

create or replace trigger no_change
  before update or delete on billing_events
  for each row execute function refuse_rewriting();

create or replace trigger no_truncate
  before truncate on billing_events
  for each statement execute function refuse_rewriting();
