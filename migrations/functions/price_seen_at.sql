-- internal: called by our functions, not by farebox_app.
--
-- price_seen_at: when a price was observed, with one moment more.
--
-- Promises  In order, each moment once, and at most sixteen: the first fifteen and the last. Null stays null.
-- Locks     None.
-- Races     None.

create or replace function price_seen_at(p_seen timestamptz[], p_at timestamptz)
returns timestamptz[]
language plpgsql
immutable
as $$
declare
  v_count integer := cardinality(p_seen);
begin
  if v_count is null or p_seen[v_count] = p_at then
    return p_seen;
  end if;

  if p_seen[v_count] > p_at then
    p_seen := array(select distinct at from unnest(p_seen || p_at) at order by at);
  else
    p_seen := p_seen || p_at;
  end if;

  v_count := cardinality(p_seen);

  return case when v_count > 16 then p_seen[1:15] || p_seen[v_count] else p_seen end;
end
$$;
