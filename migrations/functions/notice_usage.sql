-- internal: called by our functions, not by farebox_app.
--
-- notice_usage: has a user told that a limit comes near, or is reached.
--
-- Promises  When a use reaches four fifths of a limit, and when it reaches all of it, once a period each.
--           Not of what starts again every day.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

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
