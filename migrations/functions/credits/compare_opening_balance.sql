-- compare_opening_balance: Returns the result that posting an opening balance would have.
--
-- Promises  `new`; `same` if it was posted before, or is zero; `taken` if another one was posted;
--           `unknown_unit` if the current catalog has no credits of that unit; `erased`. Changes nothing.

create or replace function compare_opening_balance(p_user_id text, p_unit text, p_credits bigint)
returns text
language sql
stable
as $$
  select case
    when is_erased(p_user_id) then 'erased'
    when coalesce(posted.delta, 0) = p_credits then 'same'
    when posted.delta is not null then 'taken'
    when is_unit(p_unit)
    then 'new'
    else 'unknown_unit'
  end
  from (select 1) one
  left join credit_transactions posted on posted.source = opening_source(p_user_id, p_unit)
$$;
