-- has_messages: whether there is something to tell others about a user now.
--
-- Promises  Looks at what is due alone.
-- Races     Somebody else may be at it already: then there is nothing left to claim.

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
        and due_at <= p_now));
end
$$;
