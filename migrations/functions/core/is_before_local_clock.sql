-- is_before_local_clock: Checks that a time is at most five minutes ahead of the local stack's clock.
--
-- Promises  Returns true, or raises FB009: a caller whose clock is ahead would expire credits and end plans
--           too early. A null time raises 22004. The domain `call_time` calls it for a time that is ahead of
--           the database's clock.

create or replace function is_before_local_clock(p_time timestamptz)
returns boolean
language plpgsql
stable
set search_path from current
as $$
begin
  if p_time is null then
    raise exception using
      errcode = 'null_value_not_allowed',
      message = 'the time of the call is missing';
  end if;

  if p_time <= clock_timestamp() + interval '5 minutes'
     + coalesce((select ahead from local_clock), interval '0')
  then
    return true;
  end if;

  raise exception using
    errcode = 'FB009',
    message = format(
      'the caller''s time %s is more than 5 minutes ahead of this database''s clock', p_time);
end
$$;
