-- get_credits: what a user holds, what it is made of, and a page of what moved it.
--
-- Promises  Runs with its caller's rights under the identity of that user, as get_entitlements.
--           `units` has every unit of the catalog and those the user has had; `transactions` the latest
--           first, behind the one that is named by its id. One unit alone, if `p_unit` is given.
-- Locks     The user's row (recompute_if_due), if something is due.

create or replace function get_credits(
  p_user_id permitted_user,
  p_unit    text,
  p_behind  bigint,
  p_limit   page_size,
  p_now     call_time
)
returns jsonb
language plpgsql
set search_path from current
as $$
declare
  v_identity text := current_setting('farebox.user_id', true);
  v_answer   jsonb;
begin
  perform recompute_if_due(p_user_id, p_now);
  perform set_config('farebox.user_id', p_user_id, true);

  v_answer := jsonb_build_object(
    'units', (
      select coalesce(
        jsonb_agg(
          unit_view(p_user_id, known.unit, coalesce(held.balance, 0)) || jsonb_build_object(
            'unit', known.unit,
            'buckets', (
              select coalesce(
                jsonb_agg(
                  jsonb_build_object(
                    'kind', b.kind,
                    'amount', b.amount,
                    'remaining', b.remaining,
                    'priority', b.priority,
                    'expires_at', b.expires_at,
                    'created_at', b.created_at)
                  order by b.expires_at, b.priority, b.id),
                '[]')
              from credit_grants b
              where b.user_id = p_user_id
                and b.unit = known.unit
                and b.is_open))
          order by known.unit),
        '[]')
      from known_units(p_user_id) known (unit)
      left join credit_balances held
        on held.user_id = p_user_id
        and held.unit = known.unit
      where known.unit = coalesce(p_unit, known.unit)),
    'transactions', (
      select coalesce(jsonb_agg(transaction_view(page) order by page.seq desc), '[]')
      from (
        select *
        from credit_transactions
        where user_id = p_user_id
          and unit = coalesce(p_unit, unit)
          -- A page of what there is none of would be looked for through all rows.
          and exists (
            select 1
            from known_units(p_user_id) known (unit)
            where known.unit = coalesce(p_unit, known.unit))
          and seq < coalesce(
            (
              select seq
              from credit_transactions
              where id = p_behind
                and user_id = p_user_id
            ),
            9223372036854775807)
        order by seq desc
        limit p_limit
      ) page));

  v_identity := set_config('farebox.user_id', v_identity, true);

  return v_answer;
end
$$;
