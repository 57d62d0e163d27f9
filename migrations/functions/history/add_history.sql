-- add_history: Adds an entry to a user's history.
--
-- Takes     In `p_actor_id`: the member who acts for the organisation `p_user_id`; otherwise null.
-- Promises  An idempotency key adds one entry a day. The same key with another fingerprint, or of another
--           user, is refused with FB002. Without a key, every call adds an entry.
-- Locks     The actor (check_actor), then the account (ensure_account), before it looks for the key: a retry
--           during the first call waits for it and finds its entry.
-- Races     Of concurrent calls with one key, one inserts; the others return its entry.

create or replace function add_history(
  p_user_id         permitted_user,
  p_actor_id        text,
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
  perform check_actor(p_actor_id);
  perform ensure_account(p_user_id, p_now);

  -- A key counts for a day, even before the daily job clears it.
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

  insert into history (user_id, kind, content, created_at, idempotency_key, fingerprint, actor_id)
  values (p_user_id, p_kind, p_content, p_now, p_idempotency_key, p_fingerprint, p_actor_id)
  returning id into v_id;

  return v_id;
end
$$;
