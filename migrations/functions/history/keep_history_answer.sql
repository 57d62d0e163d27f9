-- keep_history_answer: Keeps the answer to an idempotency key of history or feedback.
--
-- Promises  Replaces an answer that is older than a day. Changes nothing without a key.
-- Locks     The caller holds the account, and has called history_answer.

create or replace function keep_history_answer(
  p_user_id     text,
  p_key         text,
  p_fingerprint text,
  p_answer      jsonb,
  p_now         timestamptz
)
returns void
language plpgsql
as $$
begin
  if p_key is null then
    return;
  end if;

  insert into history_keys (idempotency_key, fingerprint, user_id, answer, created_at)
  values (p_key, p_fingerprint, p_user_id, p_answer, p_now)
  on conflict (idempotency_key) do update
  set fingerprint = excluded.fingerprint,
      answer = excluded.answer,
      created_at = excluded.created_at;
end
$$;
