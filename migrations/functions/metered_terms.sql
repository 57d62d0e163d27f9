-- internal: called by our functions, not by farebox_app.
--
-- metered_terms: what a plan gives of a metered feature, whose terms in the plan are `p_terms`.
--
-- Promises  A feature that is newer than the plan that was bought is not in it: a hard limit of 0. One that
--           is nobody's (`unknown_feature`), or is not counted (`not_metered`), is refused with FB005, which
--           names it.
-- Locks     None.
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
