-- track_usages_locked: Counts usage entries under the account's lock.
--
-- Promises  As track_usages, but never returns null.
-- Locks     The actor (check_actor), the account (lock_and_refresh_user), then the counters.
-- Races     Of two calls with one key, the second waits and returns the first's answer.

create or replace function track_usages_locked(
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
  v_answer     jsonb;
  v_result     jsonb;
  v_results    jsonb := '[]';
  v_is_counted boolean := false;
begin
  perform check_actor(p_entries -> 0 ->> 'actor_id');
  perform lock_and_refresh_user(p_user_id, p_now);

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
      v_is_counted := true;
      perform notice_usage(p_user_id, v_result, p_now);
    elsif p_all then
      v_is_counted := false;
      exit;
    end if;
  end loop;

  if not v_is_counted then
    perform refuse('quota_exceeded', jsonb_build_object('results', v_results));
  end if;

  v_answer := jsonb_build_object('results', v_results);
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

-- replayed_usage: Returns the first answer to an idempotency key.
--
-- Promises  Null for a new key, and for one that is older than a day. A key of another request or user is
--           refused with FB002.
-- Locks     The caller holds the account.
-- Races     Call it in a statement after the one that locked the account, to see the answer of the call that
--           held it before.

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

-- notice_usage: Notifies a user that a limit is near or reached, and the app that it is reached.
--
-- Promises  When an entry reaches four fifths of a limit, and when it reaches all of it, each once per
--           period, and the app once more if the limit was raised. The user gets no notice of a feature that
--           resets every day.
-- Locks     The queue of webhooks. The caller holds the account.

create or replace function notice_usage(p_user_id text, p_result jsonb, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_limit   bigint := (p_result ->> 'limit')::bigint;
  v_used    bigint := (p_result ->> 'used')::bigint;
  v_before  bigint := v_used - (p_result ->> 'quantity')::bigint;
  v_percent integer := case
    when v_limit = 0 then null
    when v_used >= v_limit and v_before < v_limit then 100
    when v_used * 5 >= v_limit * 4 and v_before * 5 < v_limit * 4 and v_used < v_limit then 80
  end;
begin
  if v_percent = 100 then
    perform enqueue_app_webhook(
      p_user_id,
      'limit.reached',
      format('limit.reached:%s:%s:%s', p_result ->> 'feature', p_result ->> 'period_start', v_limit),
      jsonb_build_object(
        'feature', p_result ->> 'feature',
        'used', v_used,
        'limit', v_limit,
        'resets_at', p_result -> 'resets_at'),
      p_now);
  end if;
  if v_percent is null or p_result ->> 'reset' = 'day' then
    return;
  end if;

  perform enqueue_email(
    p_user_id,
    'limit_near',
    format(
      '%s:%s:%s:%s', encode(sha256(convert_to(p_user_id, 'UTF8')), 'hex'), p_result ->> 'feature',
      extract(epoch from (p_result ->> 'period_start')::timestamptz)::bigint, v_percent),
    jsonb_build_object(
      'feature_name', p_result ->> 'name',
      'percent', v_percent,
      'used', v_used,
      'limit', v_limit,
      'resets_at', extract(epoch from (p_result ->> 'resets_at')::timestamptz)::bigint),
    p_now,
    false,
    p_now);
end
$$;
