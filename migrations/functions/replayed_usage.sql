-- internal: called by our functions, not by farebox_app.
--
-- replayed_usage: what an idempotency key was answered before.
--
-- Promises  Null for a new key, and for one of more than a day ago. A key that came with another request, another
--           user's among them, is refused with FB002.
-- Locks     None of its own: the caller holds the user's row.
-- Races     Call it in a statement after the one that locked the row: it sees what the winner wrote.

create or replace function replayed_usage(
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
  v_row usage_keys;
begin
  select *
  into v_row
  from usage_keys
  where idempotency_key = p_key
    and created_at >= p_now - interval '24 hours';

  if v_row.fingerprint <> p_fingerprint or v_row.user_id <> p_user_id then
    perform refuse('idempotency_key_reused');
  end if;

  return v_row.answer;
end
$$;
