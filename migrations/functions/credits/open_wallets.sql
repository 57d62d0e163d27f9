-- open_wallets: Writes what is left of each wallet's head to its grant, for a function that changes grants.
--
-- Promises  The grants' own rows are exact, and the wallets have no head until close_wallets. A wallet that
--           stays open is correct but slow: its next spend takes the slow path. Repeating it changes
--           nothing.
-- Locks     The wallets. The caller holds the account.
-- Races     A spend that holds a wallet finishes first. A later one waits, finds no head, and takes the slow
--           path.

create or replace function open_wallets(p_user_id text)
returns void
language plpgsql
as $$
declare
  v_head record;
begin
  for v_head in
    update wallets w
    set head_id = null,
        head_left = null
    from (
      select unit, head_id, head_left
      from wallets
      where user_id = p_user_id
        and head_id is not null
      for update
    ) closed
    where w.user_id = p_user_id
      and w.unit = closed.unit
    returning closed.head_id, closed.head_left
  loop
    update credit_grants
    set remaining = v_head.head_left
    where id = v_head.head_id
      and remaining <> v_head.head_left;
  end loop;
end
$$;
