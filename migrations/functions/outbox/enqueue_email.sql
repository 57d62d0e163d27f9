-- enqueue_email: has a user written to about something, once.
--
-- Promises  A second call for the same template and subject changes nothing. Nobody is written to who is
--           not known, about what happened (`p_at`) more than three days ago, or quietly.
-- Races     Two calls at once: one row.

create or replace function enqueue_email(
  p_user_id  text,
  p_template text,
  p_about    text,
  p_payload  jsonb,
  p_at       timestamptz,
  p_is_quiet boolean,
  p_now      timestamptz
)
returns void
language plpgsql
as $$
begin
  if p_user_id is not null and not p_is_quiet and p_at > p_now - interval '3 days' then
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
