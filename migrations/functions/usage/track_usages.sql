-- track_usages: counts what a user uses, if their plan allows it.
--
-- Takes     [{"feature", "quantity", "metadata"}], in this order.
-- Promises  Each is checked and counted as one: over a hard limit nothing is counted, over a soft one it
--           is, as overage. `p_all`: if one is refused none counts. If nothing counts at all the call is
--           refused with FB008 and the results, and changes nothing. Once per idempotency key, for a
--           day: a retry is answered the same again. A feature of nobody's, one that is not counted, or a
--           count that not every client could read is refused with FB005. The user is told when four
--           fifths of a limit are used, and when all of it is, unless it starts again every day.
-- Locks     The user's row (lock_and_refresh_user).
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
    'version', bump_version(p_user_id, p_now),
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

-- replayed_usage: what an idempotency key was answered before.
--
-- Promises  Null for a new key, and for one of more than a day ago. A key that came with another request, another
--           user's among them, is refused with FB002.
-- Locks     The caller holds the account's row.
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

-- use_feature: counts one use of a metered feature, if the plan allows it.
--
-- Promises  Checked and counted as one. Answers what was used of what after it, or, with `allowed` false,
--           what it would have gone over. See track_usages for what is refused.
-- Locks     The row of the period. The caller holds the user's.

create or replace function use_feature(p_user_id text, p_entry jsonb, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_feature  text := p_entry ->> 'feature';
  v_quantity positive_amount := (p_entry ->> 'quantity')::bigint;
  v_plan     record;
  v_terms    jsonb;
  v_limit    bigint;
  v_is_hard  boolean;
  v_period   record;
  v_usage    usage_tracking;
  v_allowed  boolean;
begin
  v_plan := user_plan(p_user_id);
  v_terms := metered_terms(
    v_feature,
    (
      select features -> v_feature
      from pricing_plan_versions
      where plan = v_plan.plan
        and version = v_plan.version
    ));
  v_limit := (v_terms ->> 'limit')::bigint;
  v_is_hard := v_limit is not null and v_terms ->> 'overage' = 'hard';
  -- Never in a period from before the plan was changed (effective_now).
  v_period := period_at(
    v_terms ->> 'reset', v_plan.anchor, greatest(p_now, v_plan.changed_at), v_plan.trial_start);

  if not v_is_hard or v_quantity <= v_limit then
    insert into usage_tracking as t (
      user_id, usage_type, period_start, period_end, used, overage, updated_at)
    values (
      p_user_id, v_feature, v_period.starts_at, v_period.ends_at, v_quantity,
      greatest(v_quantity - v_limit, 0), p_now)
    on conflict (user_id, usage_type, period_start) do update
    set used = t.used + v_quantity,
        overage = t.overage + least(v_quantity, greatest(t.used + v_quantity - v_limit, 0)),
        updated_at = p_now
    where not v_is_hard
      or t.used + v_quantity <= v_limit
    returning * into v_usage;
  end if;

  v_allowed := v_usage.user_id is not null;
  if not v_allowed then
    select *
    into v_usage
    from usage_tracking
    where user_id = p_user_id
      and usage_type = v_feature
      and period_start = v_period.starts_at;
  elsif v_usage.used > 9007199254740991 then
    perform refuse_input('count_too_large', jsonb_build_object('feature', v_feature));
  elsif p_entry -> 'metadata' <> 'null' then
    insert into usage_events (user_id, usage_type, quantity, metadata, occurred_at)
    values (p_user_id, v_feature, v_quantity, p_entry -> 'metadata', p_now);
  end if;

  return jsonb_build_object(
    'allowed', v_allowed,
    'feature', v_feature,
    'quantity', v_quantity,
    'used', coalesce(v_usage.used, 0),
    'limit', v_limit,
    'overage', coalesce(v_usage.overage, 0),
    'reset', v_terms ->> 'reset',
    'name', v_terms ->> 'name',
    'period_start', v_period.starts_at,
    'resets_at', v_period.ends_at);
end
$$;

-- metered_terms: what a plan gives of a metered feature, whose terms in the plan are `p_terms`.
--
-- Promises  A feature that is newer than the plan that was bought is not in it: a hard limit of 0. One that
--           is nobody's (`unknown_feature`), or is not counted (`not_metered`), is refused with FB005, which
--           names it.
-- Races     A catalog published meanwhile: it counts or it does not.

create or replace function metered_terms(p_feature text, p_terms jsonb)
returns jsonb
language plpgsql
as $$
declare
  v_terms jsonb := p_terms;
begin
  if v_terms is null then
    v_terms := catalog_features() -> p_feature || '{"limit": 0, "overage": "hard"}';
  end if;
  if v_terms is null then
    perform refuse_input('unknown_feature', jsonb_build_object('feature', p_feature));
  end if;
  if v_terms ->> 'type' <> 'metered' then
    perform refuse_input('not_metered', jsonb_build_object('feature', p_feature));
  end if;

  return v_terms;
end
$$;

-- notice_usage: has a user told that a limit comes near, or is reached.
--
-- Promises  When a use reaches four fifths of a limit, and when it reaches all of it, once a period each.
--           Not of what starts again every day.
-- Locks     The caller holds the account's row.

create or replace function notice_usage(p_user_id text, p_result jsonb, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_limit   bigint := (p_result ->> 'limit')::bigint;
  v_used    bigint := (p_result ->> 'used')::bigint;
  v_before  bigint := v_used - (p_result ->> 'quantity')::bigint;
  v_percent integer := case
    when v_limit = 0 or p_result ->> 'reset' = 'day' then null
    when v_used >= v_limit and v_before < v_limit then 100
    when v_used * 5 >= v_limit * 4 and v_before * 5 < v_limit * 4 and v_used < v_limit then 80
  end;
begin
  if v_percent is null then
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
