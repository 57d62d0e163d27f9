-- mark_erased: Marks a user as erased, before erase_user deletes their data.
--
-- Promises  Repeating it changes nothing. After its commit no payment and no customer is assigned to the
--           user, so that erase_user can lock what exists in the order that every function keeps.
-- Locks     The account (lock_account), which it creates if the user has none.
-- Races     A write that holds the account finishes first.

create or replace function mark_erased(p_user_id permitted_user, p_now call_time)
returns void
language plpgsql
security definer
set search_path from current
as $$
begin
  perform lock_account(p_user_id, p_now);

  insert into erased_users (id_sha256, erased_at)
  values (sha256(convert_to(p_user_id, 'UTF8')), p_now)
  on conflict (id_sha256) do nothing;

  -- Callers that lock the account from now on look for the mark.
  update accounts
  set due_at = '-infinity'
  where id = p_user_id;

  -- This waits for a spend that holds the wallet. Later spends do not take the fast path.
  update wallets
  set due_at = '-infinity'
  where user_id = p_user_id;

  -- The same holds for usage entries and their counters.
  update usage_counters
  set due_at = '-infinity'
  where user_id = p_user_id;
end
$$;
