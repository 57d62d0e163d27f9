-- raise_alert: Records the level of an alert, and decides whether to notify the operators.
--
-- Takes     The alert's name and its level: the number of affected objects. Zero clears the alert.
-- Promises  True when the level reaches 1, 10, 100 and so on for the first time since it was last zero.
-- Locks     The alert's row.
-- Races     Of concurrent calls that reach a level, one returns true.

create or replace function raise_alert(p_name text, p_level bigint, p_now call_time)
returns boolean
language plpgsql
security definer
set search_path from current
as $$
declare
  v_step bigint;
begin
  perform require_service();

  if p_level <= 0 then
    delete from alerts
    where name = p_name;

    return false;
  end if;

  -- The power of ten with as many digits. A logarithm would round.
  v_step := rpad('1', length(p_level::text), '0')::bigint;

  insert into alerts as old (name, level, raised_at)
  values (p_name, v_step, p_now)
  on conflict (name) do update
  set level = excluded.level,
      raised_at = excluded.raised_at
  where old.level < excluded.level;

  return found;
end
$$;
