-- close_wallets: Gives each of a user's wallets the first grant of the spending order as its head.
--
-- Promises  Spends take the fast path until the account is due. Call it last, when grants, ledger and
--           the account's due_at are final.
-- Locks     The wallets. The caller holds the account.

create or replace function close_wallets(p_user_id text)
returns void
language plpgsql
as $$
begin
  update wallets w
  set due_at = a.due_at,
      notice_at = case when w.balance * 5 > w.topped_up then w.topped_up / 5 else 0 end,
      (head_id, head_left, head_ends, also_expiring) = (
        select g.id, g.remaining, g.expires_at, (
          select coalesce(sum(other.remaining), 0)::bigint
          from credit_grants other
          where other.user_id = w.user_id
            and other.unit = w.unit
            and other.is_open
            and other.expires_at = g.expires_at
            and other.expires_at < 'infinity'
            and other.id <> g.id)
        from credit_grants g
        where g.user_id = w.user_id
          and g.unit = w.unit
          and g.is_open
        order by g.expires_at, g.priority, g.id
        limit 1)
  from accounts a
  where w.user_id = p_user_id
    and w.head_id is null
    and w.balance > 0
    and a.id = p_user_id;
end
$$;
