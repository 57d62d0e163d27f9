-- internal: called by our functions, not by farebox_app.
--
-- enqueue_email: has a user written to about something, once.
--
-- Promises  A second call for the same template and subject changes nothing. Nobody is written to who is
--           not known, about news that are more than three days old, or while a business is adopted.
-- Locks     None of its own.
-- Races     Two calls at once: one row.

create or replace function enqueue_email(
  p_event    jsonb,
  p_user_id  text,
  p_template text,
  p_about    text,
  p_payload  jsonb,
  p_now      timestamptz
)
returns void
language plpgsql
as $$
begin
  if p_user_id is not null
     and not coalesce((p_event ->> 'quiet')::boolean, false)
     and to_timestamp((p_event ->> 'created')::bigint) > p_now - interval '3 days'
  then
    perform enqueue(
      'email',
      format('%s:%s', p_template, p_about),
      p_user_id,
      p_payload || jsonb_build_object('template', p_template),
      p_now,
      p_now);
  end if;
end
$$;
