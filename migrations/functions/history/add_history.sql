-- add_history: Adds an entry to a user's history.
--
-- Takes     In `p_actor_id`: the member who acts for the organisation `p_user_id`; otherwise null. In
--           `p_entry`: {"kind", "title", "input_ref", "result", "score", "tags", "data"}; the last five may
--           be absent.
-- Promises  Returns {"id", "created_at"}. An idempotency key adds one entry a day: a retry gets the first
--           answer. The same key with another fingerprint, or of another user, is refused with FB002. If the
--           history then has more entries than the user's plan keeps, the oldest are deleted: one, or up to
--           100 after the plan has changed. The daily job deletes the rest.
-- Locks     The actor (check_actor), then the account (ensure_account), before it looks for the key: a retry
--           during the first call waits for it and finds its answer.
-- Races     Of concurrent calls with one key, one inserts; the others return its answer.

create or replace function add_history(
  p_user_id     permitted_user,
  p_actor_id    text,
  p_entry       jsonb,
  p_key         text,
  p_fingerprint text,
  p_now         call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_answer  jsonb;
  v_id      uuid;
  v_at      timestamptz;
  v_entries bigint;
  v_max     bigint;
begin
  perform check_actor(p_actor_id);
  perform ensure_account(p_user_id, p_now);

  v_answer := history_answer(p_user_id, p_key, p_fingerprint, p_now);
  if v_answer is not null then
    return v_answer;
  end if;

  insert into history_counters as last (user_id, entries, newest_at)
  values (p_user_id, 1, p_now)
  on conflict (user_id) do update
  set entries = last.entries + 1,
      newest_at = greatest(excluded.newest_at, last.newest_at + interval '1 microsecond')
  returning entries, newest_at
  into v_entries, v_at;

  insert into history (user_id, kind, title, input_ref, result, score, tags, data, created_at, actor_id)
  select
    p_user_id, kind, title, input_ref, result, score, coalesce(tags, '{}'), coalesce(data, '{}'), v_at,
    p_actor_id
  from jsonb_populate_record(null::history, p_entry)
  returning id
  into v_id;

  select max_entries
  into v_max
  from history_terms(p_user_id);

  if v_entries > v_max then
    perform trim_history(p_user_id, least(v_entries - v_max, 100), p_now);
  end if;

  v_answer := jsonb_build_object('id', v_id, 'created_at', v_at);
  perform keep_history_answer(p_user_id, p_key, p_fingerprint, v_answer, p_now);

  return v_answer;
end
$$;
