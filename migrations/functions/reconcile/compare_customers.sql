-- compare_customers: what hearing of these customers would change.
--
-- Takes     A list of {"id", "user_id", "email"}.
-- Promises  Changes nothing. Answers a word for each, in their order: `same`, `new` (whose they are, or
--           their address, is news), `taken` (they are somebody else's), `erased`.

create or replace function compare_customers(p_customers jsonb)
returns jsonb
language sql
stable
security definer
set search_path from current
-- Compiling it takes a thousand times as long as running it.
set jit to off
as $$
  select require_service();

  select coalesce(jsonb_agg(
    case
      when is_erased_customer(told.one ->> 'id') or is_erased(told.one ->> 'user_id') then 'erased'
      when c.user_id <> told.one ->> 'user_id' then 'taken'
      when c.user_id is null or c.email is distinct from coalesce(told.one ->> 'email', c.email)
      then 'new'
      else 'same'
    end
    order by told.place), '[]')
  from jsonb_array_elements(p_customers) with ordinality told (one, place)
  left join stripe_customers c on c.id = told.one ->> 'id'
$$;
