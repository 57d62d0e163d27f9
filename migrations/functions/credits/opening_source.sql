-- opening_source: Returns the ledger source of a user's opening balance.
--
-- Promises  One for each user and unit. It does not name the user, because the ledger outlives the user.

create or replace function opening_source(p_user_id text, p_unit text)
returns text
language sql
immutable
as $$
  select 'opening:' || p_unit || ':' || encode(sha256(convert_to(p_user_id, 'UTF8')), 'hex')
$$;
