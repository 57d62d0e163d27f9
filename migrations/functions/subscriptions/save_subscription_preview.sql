-- save_subscription_preview: Stores a preview of a subscription change, which its user can confirm.
--
-- Takes     The change, its steps (preview_subscription_change), the time in seconds to which Stripe
--           prorated, and the total and the amount due of the invoice that the change leads to at once.
-- Promises  Returns {"preview_id", "expires_at"}. It can be confirmed for 15 minutes, and not beyond the end
--           of the period. Deletes the user's expired previews. Changes nothing else.
-- Locks     The account (ensure_account).

create or replace function save_subscription_preview(
  p_user_id        permitted_user,
  p_change         jsonb,
  p_steps          jsonb,
  p_proration_date bigint,
  p_total          bigint,
  p_amount_due     bigint,
  p_now            call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_period_end timestamptz := to_timestamp((p_steps ->> 'period_end')::bigint);
  v_expires_at timestamptz := p_now + interval '15 minutes';
  v_preview    subscription_previews;
begin
  perform ensure_account(p_user_id, p_now);

  delete from subscription_previews
  where user_id = p_user_id
    and expires_at <= p_now - interval '1 hour';

  insert into subscription_previews (
    user_id, change, steps, proration_date, total_minor, amount_due_minor, created_at, expires_at)
  values (
    p_user_id, p_change, p_steps, to_timestamp(p_proration_date), p_total, p_amount_due, p_now,
    -- The end of the period may have passed before an event reported the next one.
    case when v_period_end > p_now then least(v_expires_at, v_period_end) else v_expires_at end)
  returning * into v_preview;

  return jsonb_build_object('preview_id', v_preview.id, 'expires_at', v_preview.expires_at);
end
$$;
