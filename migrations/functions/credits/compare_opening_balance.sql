-- compare_opening_balance: what posting these credits as a user's first would come to, in a word.
--
-- Promises  `new`; `same`, if they were posted before, or are none; `taken`, if others were;
--           `unknown_unit`, if nothing in the present catalog gives credits of that unit; `erased`.
--           Changes nothing.
-- Races     The user's row, where the caller holds it, puts callers in line.

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
