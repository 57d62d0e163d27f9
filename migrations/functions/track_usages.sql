-- track_usages: counts what a user uses, if their plan allows it.
--
-- Takes     [{"feature", "quantity", "metadata"}], in this order.
-- Promises  Each is checked and counted as one: over a hard limit nothing is counted, over a soft one it
--           is, as overage. `p_all`: if one is refused none counts. If nothing counts at all the call is
--           refused with FB008 and the results, and changes nothing. Once per idempotency key, for a
--           day: a retry is answered the same again. A feature of nobody's, one that is not counted, or a
--           count that not every client could read is refused with FB005. The user is told when four
--           fifths of a limit are used, and when all of it is, unless it starts again every day.
-- Locks     The user's row (begin_change).
-- Races     Calls for one user take turns, so that no two use the same unit. Of two with one key the
--           second waits, and finds what the first was answered.

create or replace function track_usages(
  p_user_id     permitted_user,
  p_entries     jsonb,
  p_all         boolean,
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
  v_result  jsonb;
  v_results jsonb := '[]';
  v_used    jsonb := '{}';
begin
  perform begin_change(p_user_id, p_now);

  if p_key is not null then
    v_answer := replayed_usage(p_user_id, p_key, p_fingerprint, p_now);
    if v_answer is not null then
      return v_answer;
    end if;
  end if;

  for v_place in 0 .. jsonb_array_length(p_entries) - 1 loop
    v_result := use_feature(p_user_id, p_entries -> v_place, p_now);
    v_results := v_results || v_result;

    if (v_result ->> 'allowed')::boolean then
      v_used := v_used || jsonb_build_object(v_result ->> 'feature', v_result -> 'used');
      perform notice_usage(p_user_id, v_result, p_now);
    elsif p_all then
      v_used := '{}';
      exit;
    end if;
  end loop;

  if v_used = '{}' then
    perform refuse('quota_exceeded', jsonb_build_object('results', v_results));
  end if;

  v_answer := jsonb_build_object(
    'user_id', p_user_id,
    'version', bump_entitlement(p_user_id, p_now),
    'used', v_used,
    'results', v_results);

  if p_key is not null then
    insert into usage_keys (idempotency_key, fingerprint, user_id, answer, created_at)
    values (p_key, p_fingerprint, p_user_id, v_answer, p_now)
    on conflict (idempotency_key) do update
    set fingerprint = excluded.fingerprint,
        answer = excluded.answer,
        created_at = excluded.created_at;
  end if;

  return v_answer;
end
$$;
