-- next_app_webhook: Returns the id of the message that a user's queue sends next.
--
-- Promises  The oldest that was neither delivered nor given up; null if there is none. Reads one row,
--           whatever waits behind it: the order of `seq` makes Postgres use the index.

create or replace function next_app_webhook(p_user_id text)
returns text
language plpgsql
stable
as $$
begin
  return (
    select id
    from app_webhooks
    where user_id = p_user_id
      and delivered_at is null
      and failed_at is null
    order by seq
    limit 1);
end
$$;
