-- compare_customers: Compares customers of Stripe with the stored ones.
--
-- Takes     A list of {"id", "user_id", "email"}.
-- Promises  Changes nothing. Returns one result for each, in their order: `same`, `new` (the user or the
--           address would change), `taken` (the customer belongs to another user), or `erased`.

create or replace function compare_customers(p_customers jsonb)
returns jsonb
language sql
stable
security definer
set search_path from current
-- JIT compilation would take a thousand times as long as the query.
set jit to off
as $$
  select require_service();

  select coalesce(jsonb_agg(
    case
      when is_erased_customer(given.one ->> 'id') or is_erased(given.one ->> 'user_id') then 'erased'
      when c.user_id <> given.one ->> 'user_id' then 'taken'
      when c.user_id is null or c.email is distinct from coalesce(given.one ->> 'email', c.email)
      then 'new'
      else 'same'
    end
    order by given.place), '[]')
  from jsonb_array_elements(p_customers) with ordinality given (one, place)
  left join stripe_customers c on c.id = given.one ->> 'id'
$$;
