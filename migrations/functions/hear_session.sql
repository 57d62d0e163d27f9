-- internal: called by our functions, not by farebox_app.
--
-- hear_session: merges what an event says of a checkout session, and what follows from that.
--
-- Promises  What a session sold that Farebox did not make is recognised once it is paid. Its user is
--           written to when a payment that takes days has failed.
-- Locks     The session's row. The caller holds the payment's, the customer's and the user's.
-- Races     The payment's row puts callers in line.

create or replace function hear_session(p_event jsonb, p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_fact jsonb := p_event -> 'facts' -> 'session';
  v_at   timestamptz := to_timestamp((p_event ->> 'created')::bigint);
begin
  perform merge_session(v_fact, p_user_id, p_now);
  perform recognise_pack(v_fact, p_user_id, v_at);

  if p_event -> 'facts' ->> 'notice' = 'payment_failed' then
    perform enqueue_email(
      p_user_id,
      'payment_failed',
      v_fact ->> 'id',
      jsonb_build_object('amount_minor', v_fact -> 'amount_total', 'currency', v_fact -> 'currency'),
      v_at,
      coalesce((p_event ->> 'quiet')::boolean, false),
      p_now);
  end if;
end
$$;
