-- set_app_webhooks: Stores whether the app's server gets webhooks. The minute job calls it with the setting.
--
-- Promises  Writes only a change. Without an endpoint no message is queued; messages that wait are kept.
-- Locks     The row of catalog_state, if it changes.

create or replace function set_app_webhooks(p_is_on boolean)
returns void
language sql
security definer
set search_path from current
as $$
  select require_service();

  update catalog_state
  set has_app_webhooks = p_is_on
  where has_app_webhooks <> p_is_on
$$;
