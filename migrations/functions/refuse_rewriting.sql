-- internal: called by the triggers below, which are made anew with it.
--
-- refuse_rewriting: stands before every change of the ledger and of the audit trail of billing.
--
-- Promises  No row is updated, deleted or truncated, not even by the table's owner. One thing may be
--           done to it: whoever erases a user takes the user's id out, and puts one there that says
--           nothing.
-- Locks     Nothing.
-- Races     None.

create or replace function refuse_rewriting()
returns trigger
language plpgsql
set search_path from current
as $$
begin
  if tg_op = 'UPDATE'
     and to_jsonb(new) - 'user_id' = to_jsonb(old) - 'user_id'
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
