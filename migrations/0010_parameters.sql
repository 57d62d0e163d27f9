-- The types of functions' parameters, and the clock of a local stack.
--
-- A parameter's type is its check. A value is checked once, where a caller passes it to a callable
-- function. Calls between functions do not check it again.

create table local_clock (
  is_the_only_row boolean primary key default true check (is_the_only_row),
  ahead           interval not null
);

comment on table local_clock is
  'How far the clock of a local stack is ahead. Only the tables'' owner can write it. Empty in production.';
comment on column local_clock.is_the_only_row is 'Always true: the table has at most one row.';
comment on column local_clock.ahead is 'The distance from the real time.';

-- Placeholders, which the domains below need. `farebox migrate` replaces them with those of functions/.
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
    -- While no identity is set (null or empty), the rest is not evaluated.
    (current_setting('farebox.user_id', true) = '') is not false
    or is_identity(value));

comment on domain permitted_user is
  'The user that a call is about. While an identity is set (`farebox.user_id`), it must be that user.';

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
