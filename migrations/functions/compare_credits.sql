-- compare_credits: what posting these credits as their users' first would come to.
--
-- Takes     A list of {"user_id", "unit", "credits"}.
-- Promises  Changes nothing. Answers the word of opening_credits() for each, in their order.
-- Locks     None.
-- Races     None: one statement sees one state.

create or replace function compare_credits(p_lines jsonb)
returns jsonb
language sql
stable
security definer
set search_path from current
-- Compiling it takes a thousand times as long as running it.
set jit to off
as $$
  select require_service();

  select coalesce(
    jsonb_agg(
      opening_credits(
        told.line ->> 'user_id', told.line ->> 'unit', (told.line ->> 'credits')::bigint)
      order by told.place),
    '[]')
  from jsonb_array_elements(p_lines) with ordinality told (line, place)
$$;
