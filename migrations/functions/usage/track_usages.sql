-- track_usages: Counts usage entries, if the plan allows them.
--
-- Takes     [{"feature", "quantity", "metadata", "actor_id"}], in this order. `actor_id` is the member who
--           acts for the organisation `p_user_id`, the same in each entry.
-- Promises  Each entry is checked and counted atomically. Beyond a hard limit it is not counted; beyond a
--           soft one it is, as overage. With `p_all`, one refused entry refuses all. If no entry is counted,
--           the call is refused with FB008 and the results, and changes nothing. An idempotency key counts
--           once: for a day, a retry gets the first answer. An unknown feature, one that is not metered, and
--           a count above 2^53 - 1, which not every client can read, are refused with FB005. The user is
--           notified when four fifths of a limit are used, and when all of it is, unless it resets every
--           day. Each result has the version of its feature's count.
-- Locks     The actor (check_actor). Then the counter, if one entry without key and metadata can be counted
--           by its row alone; otherwise as track_usages_locked. A transaction that calls this and locks the
--           account locks the account first.
-- Races     Calls for one counter take turns, so that no two count the same unit. An update that has waited
--           for a row keeps it locked even if the row no longer matches. Locking the account after that could
--           deadlock, so this returns null without a change, and the caller ends its transaction and calls
--           track_usages_locked.

create or replace function track_usages(
  p_user_id     permitted_user,
  p_entries     jsonb,
  p_all         boolean,
  p_key         text,
  p_fingerprint text,
  p_now         call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_entry    jsonb := p_entries -> 0;
  v_feature  text := v_entry ->> 'feature';
  v_quantity bigint := (v_entry ->> 'quantity')::bigint;
  v_actor    text := v_entry ->> 'actor_id';
  v_counter  record;
begin
  if v_actor is not null then
    perform check_actor(v_actor);
  end if;

  if p_key is null and p_entries -> 1 is null and v_entry -> 'metadata' is null then
    update usage_counters
    set used = used + v_quantity,
        overage = overage + least(v_quantity, greatest(used + v_quantity - usage_limit, 0)),
        version = greatest(version + 1, (extract(epoch from p_now) * 1000)::bigint),
        updated_at = greatest(updated_at, p_now)
    where user_id = p_user_id
      and usage_type = v_feature
      and due_at > p_now
      and v_quantity > 0
      and v_quantity < slow_at - used
      and catalog_epoch = (
        select epoch
        from catalog_state)
    returning used, overage, usage_limit, period_end, version
    into v_counter;

    if found then
      if v_actor is not null then
        insert into usage_events (user_id, usage_type, quantity, occurred_at, actor_id)
        values (p_user_id, v_feature, v_quantity, p_now, v_actor);
      end if;

      return jsonb_build_object('results', jsonb_build_array(jsonb_build_object(
        'feature', v_feature,
        'allowed', true,
        'used', v_counter.used,
        'limit', v_counter.usage_limit,
        'overage', v_counter.overage,
        'resets_at', v_counter.period_end,
        'version', v_counter.version)));
    end if;

    perform 1
    from usage_counters
    where user_id = p_user_id
      and usage_type = v_feature
      and xmax = pg_current_xact_id_if_assigned()::xid;

    if found then
      return null;
    end if;
  end if;

  return track_usages_locked(p_user_id, p_entries, p_all, p_key, p_fingerprint, p_now);
end
$$;
