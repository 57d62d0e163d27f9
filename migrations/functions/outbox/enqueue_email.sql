-- enqueue_email: Queues an e-mail to a user, once per template and subject.
--
-- Promises  Queues nothing for an unknown user, for an event more than three days ago (`p_occurred_at`), or
--           when `p_is_quiet`, as in a backfill.
-- Races     Two concurrent calls queue one e-mail.

create or replace function enqueue_email(
  p_user_id     text,
  p_template    text,
  p_subject     text,
  p_payload     jsonb,
  p_occurred_at timestamptz,
  p_is_quiet    boolean,
  p_now         timestamptz
)
returns void
language plpgsql
as $$
begin
  if p_user_id is not null and not p_is_quiet and p_occurred_at > p_now - interval '3 days' then
    perform enqueue(
      'email',
      format('%s:%s', p_template, p_subject),
      p_user_id,
      p_payload || jsonb_build_object('template', p_template),
      p_now,
      p_now);
  end if;
end
$$;
