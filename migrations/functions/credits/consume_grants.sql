-- consume_grants: Takes credits out of a user's grants.
--
-- Promises  The grant of `p_payment_id` comes first, if that is given; then the soonest to expire, the lowest
--           priority, the oldest. Takes no more than the grants hold: the caller's ledger entry may take the
--           balance below zero, and the next credits pay that debt. With `p_payment_id`, credits from other
--           grants are recorded as borrowed, for reverse_clawback. Reads only the grants it takes from.
-- Locks     The caller holds the account and has opened the wallets.

create or replace function consume_grants(
  p_user_id    text,
  p_unit       text,
  p_amount     bigint,
  p_payment_id text
)
returns void
language plpgsql
as $$
declare
  v_is_clawback boolean := p_payment_id is not null;
  v_left        bigint := p_amount;
  v_borrowed    bigint := 0;
  v_grant       record;
  v_ids         bigint[] := array[]::bigint[];
  v_last_id     bigint;
  v_taken       bigint;
begin
  if v_is_clawback then
    select id, least(remaining, v_left) as taken
    into v_grant
    from credit_grants
    where payment_id = p_payment_id;

    if v_grant.taken > 0 then
      v_left := v_left - v_grant.taken;
      update credit_grants
      set remaining = remaining - v_grant.taken
      where id = v_grant.id;
    end if;
  end if;

  if v_left > 0 then
    for v_grant in
      select id, remaining
      from credit_grants
      where user_id = p_user_id
        and unit = p_unit
        and is_open
      order by expires_at, priority, id
    loop
      v_ids := v_ids || v_grant.id;
      v_last_id := v_grant.id;
      v_taken := least(v_grant.remaining, v_left);
      v_left := v_left - v_taken;
      v_borrowed := v_borrowed + v_taken;
      exit when v_left = 0;
    end loop;

    -- Empties all of them but the last, which gives only what is still needed.
    update credit_grants
    set remaining = remaining - case when id = v_last_id then v_taken else remaining end,
        lent = lent + case
          when not v_is_clawback then 0
          when id = v_last_id then v_taken
          else remaining
        end
    where id = any (v_ids);
  end if;

  if v_is_clawback and v_borrowed + v_left > 0 then
    -- The debt (`v_left`) counts as borrowed too.
    update credit_grants
    set borrowed = borrowed + v_borrowed + v_left
    where payment_id = p_payment_id;
  end if;
end
$$;
