-- store_api_log: Stores API calls in the log.
--
-- Promises  Returns the number of new rows. A call that is already stored stays as it is. The calls of an
--           erased user are stored without the user.
-- Races     erase_user() locks the log before it clears the user's rows. A call of this function that read
--           the marks of erased users before that has ended, so none of its rows is missed.

create or replace function store_api_log(p_calls jsonb)
returns bigint
language plpgsql
security definer
set search_path from current
as $$
declare
  v_rows bigint;
begin
  perform require_service();

  insert into api_log (
    called_at, id, route, method, status, error_code, event_type, duration_us, caller, user_id, weight)
  select
    c.called_at,
    c.id,
    c.route,
    c.method,
    c.status,
    c.error_code,
    c.event_type,
    c.duration_us,
    c.caller,
    case when e.id_sha256 is null then c.user_id end,
    c.weight
  from jsonb_to_recordset(p_calls) c (
    called_at timestamptz,
    id uuid,
    route text,
    method text,
    status integer,
    error_code text,
    event_type text,
    duration_us bigint,
    caller text,
    user_id text,
    weight integer)
  left join erased_users e on e.id_sha256 = sha256(convert_to(c.user_id, 'UTF8'))
  on conflict (called_at, id) do nothing;

  get diagnostics v_rows = row_count;

  return v_rows;
end
$$;
