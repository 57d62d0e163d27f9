-- internal: called by our functions, not by farebox_app.
--
-- is_credited: whether what a session sold was given before, though not for this payment.
--
-- Promises  True if the session was paid with another payment, and if it is older than the balance with
--           which the user came from another system: that balance holds its credits.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function is_credited(
  p_session_id text,
  p_created_at timestamptz,
  p_unit       text,
  p_user_id    text
)
returns boolean
language plpgsql
stable
as $$
begin
  return exists (
    select 1
    from credit_transactions
    where stripe_session_id = p_session_id
  ) or exists (
    select 1
    from credit_transactions
    where user_id = p_user_id
      and unit = p_unit
      and kind = 'opening'
      -- Stripe's times are whole seconds.
      and date_trunc('second', created_at) > p_created_at
  );
end
$$;
