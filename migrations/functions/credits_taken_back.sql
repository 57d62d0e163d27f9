-- internal: called by our functions, not by farebox_app.
--
-- credits_taken_back: how many credits go when part of what was paid for them goes.
--
-- Promises  In proportion, rounded in the user's favour; all of them for the whole price or more, none
--           where nothing was paid.
-- Locks     None.
-- Races     None.

create or replace function credits_taken_back(
  p_credits      bigint,
  p_amount_minor bigint,
  p_gone_minor   bigint
)
returns bigint
language sql
immutable
as $$
  select coalesce(
    floor(p_credits::numeric * least(p_gone_minor, p_amount_minor) / nullif(p_amount_minor, 0)),
    0)::bigint
$$;
