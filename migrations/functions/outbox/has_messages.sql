-- has_messages: Returns whether a user has outbox messages, or webhooks to the app, that are due.
--
-- Promises  Reads due messages only.
-- Races     Another worker may be delivering them: then claim_outbox or claim_app_webhooks finds none.

create or replace function has_messages(p_user_id text, p_now timestamptz)
returns boolean
language plpgsql
stable
as $$
begin
  return (
    select exists (
        select 1
        from outbox
        where user_id = p_user_id
          and done_at is null
          and failed_at is null
          and due_at <= p_now)
      or exists (
        select 1
        from app_webhook_queues
        where user_id = p_user_id
          and due_at <= p_now));
end
$$;
