-- add_history: keeps an entry of a user's history.
--
-- Promises  With an idempotency key the entry is kept once, however often it is sent within a day;
--           the same key with another fingerprint, or of another user, is refused with FB002. Without
--           one every call adds an entry.
-- Locks     The user's row (ensure_account), before it looks for the key: a retry that races the first
--           call waits for it, and then sees its entry.
-- Races     Of many calls with one key, one inserts; the others find its row.

create or replace function add_history(
  p_user_id         permitted_user,
  p_kind            text,
  p_content         text,
  p_idempotency_key text,
  p_fingerprint     text,
  p_now             call_time
)
returns bigint
language plpgsql
security definer
set search_path from current
as $$
declare
  v_id          bigint;
  v_user_id     text;
  v_fingerprint text;
begin
  perform ensure_account(p_user_id, p_now);

  -- A key is remembered for a day, whether or not the daily job has come by.
  update history
  set idempotency_key = null,
      fingerprint = null
  where idempotency_key = p_idempotency_key
    and created_at < p_now - interval '24 hours';

  select id, user_id, fingerprint
  into v_id, v_user_id, v_fingerprint
  from history
  where idempotency_key = p_idempotency_key;

  if v_id is not null then
    if (v_user_id, v_fingerprint) is distinct from (p_user_id::text, p_fingerprint) then
      perform refuse('idempotency_key_reused');
    end if;
    return v_id;
  end if;

  insert into history (user_id, kind, content, created_at, idempotency_key, fingerprint)
  values (p_user_id, p_kind, p_content, p_now, p_idempotency_key, p_fingerprint)
  returning id into v_id;

  return v_id;
end
$$;
