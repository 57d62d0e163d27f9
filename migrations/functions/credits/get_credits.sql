-- get_credits: Returns a user's credits, their open grants, and a page of the ledger.
--
-- Promises  Runs with its caller's rights under the user's identity, as get_entitlements does. `units`
--           has every unit of the catalog and each that the user has had, with its first 100 open grants in
--           spending order and their number, counted up to 1,000. `transactions` has the latest entries
--           first. `p_behind` has, by unit, the number of the last entry that was read; a unit that it lacks
--           is read from its latest entry. `p_unit` selects one unit.
-- Locks     The account (recompute_if_due), if something is due.

create or replace function get_credits(
  p_user_id permitted_user,
  p_unit    text,
  p_behind  jsonb,
  p_limit   page_size,
  p_now     call_time
)
returns jsonb
language plpgsql
set search_path from current
as $$
declare
  v_identity text := current_setting('farebox.user_id', true);
  v_behind   jsonb := coalesce(p_behind, '{}');
  v_units    text[];
  v_answer   jsonb;
begin
  perform recompute_if_due(p_user_id, p_now);
  perform set_config('farebox.user_id', p_user_id, true);

  v_units := array(select known_units(p_user_id));
  if p_unit is not null then
    v_units := case when p_unit = any (v_units) then array[p_unit] else '{}' end;
  end if;

  v_answer := jsonb_build_object(
    'units', (
      select coalesce(
        jsonb_agg(
          case
            when w.user_id is null then '{"balance": 0, "expires_at": null, "expiring": null}'
            else unit_view(w)
          end
            || jsonb_build_object('unit', known.unit)
            || open_grants(p_user_id, known.unit, w.head_id, w.head_left)
          order by known.unit),
        '[]')
      from unnest(v_units) known (unit)
      left join wallets w on w.user_id = p_user_id and w.unit = known.unit),
    'transactions', (
      select coalesce(
        jsonb_agg(entry_view(page.entry) order by page.shown_at desc, page.unit, page.seq desc),
        '[]')
      from (
        select latest.*
        from unnest(v_units) known (unit)
        cross join lateral (
          -- Clocks differ: an entry is sorted by a time that is no later than those of later entries.
          select t as entry, t.unit, t.seq, min(t.created_at) over (order by t.seq desc) as shown_at
          from credit_transactions t
          where t.user_id = p_user_id
            and t.unit = known.unit
            and t.seq < coalesce((v_behind ->> known.unit)::bigint, 9223372036854775807)
          order by t.seq desc
          limit p_limit
        ) latest
        order by latest.shown_at desc, latest.unit, latest.seq desc
        limit p_limit
      ) page));

  v_identity := set_config('farebox.user_id', v_identity, true);

  return v_answer;
end
$$;

-- open_grants: Returns a wallet's open grants.
--
-- Promises  The 100 grants that are spent first, and the number of open grants, counted up to 1,000.

create or replace function open_grants(
  p_user_id   permitted_user,
  p_unit      text,
  p_head_id   bigint,
  p_head_left bigint
)
returns jsonb
language plpgsql
stable
as $$
begin
  return jsonb_build_object(
    'grants', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'kind', g.kind,
            'amount', g.amount,
            'remaining', case g.id when p_head_id then p_head_left else g.remaining end,
            'priority', g.priority,
            'expires_at', nullif(g.expires_at, 'infinity'),
            'created_at', g.created_at)
          order by g.expires_at, g.priority, g.id),
        '[]')
      from (
        select *
        from credit_grants
        where user_id = p_user_id
          and unit = p_unit
          and is_open
        order by expires_at, priority, id
        limit 100
      ) g),
    'grant_count', (
      select count(*)
      from (
        select 1
        from credit_grants
        where user_id = p_user_id
          and unit = p_unit
          and is_open
        limit 1000
      ) g));
end
$$;
