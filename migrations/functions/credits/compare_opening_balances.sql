-- compare_opening_balances: Returns the result of compare_opening_balance for each line of a list.
--
-- Takes     A list of {"user_id", "unit", "credits"}.
-- Promises  Changes nothing. The results have the order of the lines.

create or replace function compare_opening_balances(p_lines jsonb)
returns jsonb
language sql
stable
security definer
set search_path from current
-- JIT compilation would take a thousand times as long as the query.
set jit to off
as $$
  select require_service();

  select coalesce(
    jsonb_agg(
      compare_opening_balance(
        given.line ->> 'user_id', given.line ->> 'unit', (given.line ->> 'credits')::bigint)
      order by given.place),
    '[]')
  from jsonb_array_elements(p_lines) with ordinality given (line, place)
$$;
