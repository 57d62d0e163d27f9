-- ensure_unit: Refuses an unknown unit of credits.
--
-- Promises  A unit that the user has never had, and that the current catalog does not have, is refused with
--           FB005 (`unknown_unit`).

create or replace function ensure_unit(p_user_id text, p_unit text)
returns void
language plpgsql
as $$
begin
  if not exists (
       select 1
       from wallets
       where user_id = p_user_id
         and unit = p_unit)
     and not is_unit(p_unit)
  then
    perform refuse_input('unknown_unit');
  end if;
end
$$;
