-- history_answer: Returns the first answer to an idempotency key of history or feedback.
--
-- Promises  Null without a key, for a new key, and for one that is older than a day. A key of another request
--           or user is refused with FB002.
-- Locks     The caller holds the account.
-- Races     Call it in a statement after the one that locked the account, to see the answer of the call that
--           held it before.

create or replace function history_answer(
  p_user_id     text,
  p_key         text,
  p_fingerprint text,
  p_now         timestamptz
)
returns jsonb
language plpgsql
stable
as $$
declare
  v_row history_keys;
begin
  if p_key is null then
    return null;
  end if;

  select *
  into v_row
  from history_keys
  where idempotency_key = p_key
    and created_at >= p_now - interval '24 hours';

  if v_row.fingerprint <> p_fingerprint or v_row.user_id <> p_user_id then
    perform refuse('idempotency_key_reused');
  end if;

  return v_row.answer;
end
$$;
