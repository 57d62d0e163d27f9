-- bump_version: Increases the version of a user's entitlement.
--
-- Promises  Every older copy is known to be outdated. The version is never behind the clock in milliseconds,
--           so that a database restored from a backup still issues greater versions. A webhook with the new
--           entitlement is queued for the app.
-- Locks     The queue of webhooks. The caller holds the account.

create or replace function bump_version(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_has_app_webhooks boolean;
begin
  update accounts
  set entitlement_version = greatest(entitlement_version + 1, (extract(epoch from p_now) * 1000)::bigint)
  where id = p_user_id
  returning (
    select has_app_webhooks
    from catalog_state)
  into v_has_app_webhooks;

  if v_has_app_webhooks then
    perform enqueue_app_webhook(p_user_id, 'entitlement.updated', null, null, p_now);
  end if;
end
$$;
