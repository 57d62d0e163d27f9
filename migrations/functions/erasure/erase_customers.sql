-- erase_customers: Marks Stripe customers of an erased user that Farebox did not know.
--
-- Takes     The customers at Stripe that name the user, whom erase_user has erased before.
-- Promises  Returns those to delete at Stripe: a customer that Farebox knows as another user's stays. Events
--           of the returned customers change nothing from now on, and what they changed before is deleted.
--           Repeating it returns the same.
-- Locks     The customers, by id.
-- Races     An event that assigns one of them to the user is refused, because the user was erased.

create or replace function erase_customers(p_user_id permitted_user, p_customers text[], p_now call_time)
returns text[]
language plpgsql
security definer
set search_path from current
as $$
declare
  v_customers text[];
begin
  if not is_erased(p_user_id) then
    return '{}';
  end if;

  perform 1
  from stripe_customers
  where id = any (p_customers)
  order by id
  for update;

  v_customers := array(
    select given.id
    from unnest(p_customers) given (id)
    left join stripe_customers known on known.id = given.id
    where known.user_id is null);

  insert into erased_customers (id_sha256, erased_at)
  select sha256(convert_to(id, 'UTF8')), p_now
  from unnest(v_customers) id
  on conflict (id_sha256) do nothing;

  perform erase_billing_rows(p_user_id, v_customers, p_now);

  return v_customers;
end
$$;
