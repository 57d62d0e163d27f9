-- refuse_amount: Raises an error for an amount, a page size or a duration that is out of range.
--
-- Promises  Never returns: raises 22023. The domains of amounts call it.

create or replace function refuse_amount(p_amount bigint)
returns boolean
language plpgsql
stable
set search_path from current
as $$
begin
  raise exception using
    errcode = 'invalid_parameter_value',
    message = format('the amount is out of range: %s', coalesce(p_amount::text, 'null'));
end
$$;
