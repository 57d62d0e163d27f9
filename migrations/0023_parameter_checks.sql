-- with-functions: the functions that take these types replace the ones that took plain text and timestamps.
--
-- The type of a parameter is its check: a value is checked once, where a caller hands it to a callable
-- function. Our functions pass it on among themselves without another check.

-- Declared for the domains below; functions/ says what they do, and replaces them with every run.
create function is_identity(p_user_id text)
returns boolean
language sql
as $$
  select false
$$;

create function is_before_local_clock(p_time timestamptz)
returns boolean
language sql
as $$
  select false
$$;

create function refuse_amount(p_amount bigint)
returns boolean
language sql
as $$
  select false
$$;

revoke all on function is_identity(text) from public;
revoke all on function is_before_local_clock(timestamptz) from public;
revoke all on function refuse_amount(bigint) from public;

create domain permitted_user as text
  check (
    -- Without an identity, which is null or empty, nothing else is looked at.
    (current_setting('farebox.user_id', true) = '') is not false
    or is_identity(value));

comment on domain permitted_user is
  'The user that a call is about. With an identity set (`farebox.user_id`) it is that user.';

create domain call_time as timestamptz
  check (
    value <= clock_timestamp() + interval '5 minutes'
    or is_before_local_clock(value));

comment on domain call_time is
  'The caller''s time: at most five minutes ahead of the database''s clock, or of the local stack''s.';

create domain positive_amount as bigint
  check (value > 0 or refuse_amount(value));

create domain page_size as integer
  check (value between 1 and 10000 or refuse_amount(value));

create domain lease_seconds as integer
  check (value between 1 and 3600 or refuse_amount(value));

-- With another type of a parameter a function is another one. The old ones go, whatever their parameters.
do $$
declare
  v_replaced text[] := array[
    'add_history', 'apply_event', 'begin_checkout', 'begin_erasure', 'begin_portal',
    'begin_subscription_change', 'claim_failed_webhook', 'claim_failed_webhooks', 'claim_outbox',
    'compare_subscriptions', 'end_due_grants', 'entitlement_view', 'erase_user', 'fail_webhook',
    'find_subscription', 'finish_checkout', 'finish_outbox', 'finish_portal',
    'finish_subscription_change', 'forget_customer', 'forget_history_keys', 'forget_outbox',
    'forget_payloads', 'forget_stripe_requests', 'forget_usage_keys', 'forget_webhook_events',
    'get_checkout_session', 'get_credits', 'get_entitlements', 'get_subscription', 'get_usage',
    'get_user_subscription', 'give_credits', 'grant_plan', 'keep_job_cursor', 'known_units',
    'list_failed_webhooks', 'list_subscribers', 'mark_erased', 'post_opening_credits', 'raise_alert',
    'release_stripe_request', 'repair_cache', 'replayed_usage', 'resolve_failed_webhook', 'settle_due_users',
    'settle_if_due', 'settled_plan', 'spend_credits', 'subscription_view', 'sync_user_credits',
    'track_usage', 'track_usages', 'unit_view', 'unlisted_subscriptions', 'verify_balances', 'verify_ledger'];
  v_function regprocedure;
begin
  for v_function in
    select p.oid
    from pg_proc p
    join pg_class own on own.oid = 'farebox_migrations'::regclass
    where p.pronamespace = own.relnamespace
      and p.proowner = own.relowner
      and p.proname = any (v_replaced)
  loop
    execute format('drop function %s', v_function);
  end loop;

  -- So that this run makes them again.
  delete from farebox_migrations
  where name = any (v_replaced);
end
$$;
