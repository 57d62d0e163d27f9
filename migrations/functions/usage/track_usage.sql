-- track_usage: Counts one usage entry at the current time, for SQL.
--
-- Promises  As track_usages_locked. Returns the count after it. Beyond a hard limit it is refused with FB008,
--           and a quantity that is not positive with 22023. The minute job pushes the count to Redis.
-- Locks     As track_usages_locked.

create or replace function track_usage(
  p_user_id    permitted_user,
  p_usage_type text,
  p_amount     positive_amount default 1
)
returns bigint
language plpgsql
security definer
set search_path from current
as $$
declare
  v_now    call_time := farebox_now();
  v_answer jsonb;
begin
  v_answer := track_usages_locked(
    p_user_id,
    jsonb_build_array(jsonb_build_object('feature', p_usage_type, 'quantity', p_amount)),
    true,
    null,
    null,
    v_now);
  perform repair_cache(p_user_id, v_now);

  return (v_answer -> 'results' -> 0 ->> 'used')::bigint;
end
$$;
