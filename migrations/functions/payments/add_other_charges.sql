-- add_other_charges: Adds the charges of a fact to a payment's charges besides its first one.
--
-- Promises  Each charge once, sorted, so that event order does not matter. Null if there are none.

create or replace function add_other_charges(p_charge_id text, p_others text[], p_fact jsonb)
returns text[]
language plpgsql
immutable
as $$
begin
  return (
    select array_agg(charge order by charge)
    from (
      select unnest(p_others)
      union
      select p_fact ->> 'charge'
      union
      select jsonb_array_elements_text(nullif(p_fact -> 'other_charges', 'null'))
    ) known (charge)
    where charge <> coalesce(p_charge_id, p_fact ->> 'charge'));
end
$$;
