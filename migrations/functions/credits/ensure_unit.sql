-- ensure_unit: refuses a unit that is nobody's.
--
-- Promises  FB005, `unknown_unit`, for a unit of which the user has never had a credit and which nothing
--           in the present catalog gives.
-- Races     A catalog published meanwhile: it counts or it does not.

create or replace function ensure_unit(p_user_id text, p_unit text)
returns void
language plpgsql
as $$
begin
  if not exists (
       select 1
       from credit_balances
       where user_id = p_user_id
         and unit = p_unit)
     and not is_unit(p_unit)
  then
    perform refuse_input('unknown_unit');
  end if;
end
$$;
