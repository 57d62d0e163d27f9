-- unit_view: Returns a wallet in the form in which it is pushed to the cache.
--
-- Promises  Has the balance, the time at which the next credits expire, and their number; nulls if none do.
--           Reads no other row. Runs with its caller's rights.

create or replace function unit_view(p_wallet wallets)
returns jsonb
language sql
stable
as $$
  select jsonb_build_object(
    'balance', p_wallet.balance,
    'expires_at', nullif(p_wallet.head_ends, 'infinity'),
    'expiring', case
      when p_wallet.head_ends < 'infinity' then p_wallet.head_left + p_wallet.also_expiring
    end)
$$;
