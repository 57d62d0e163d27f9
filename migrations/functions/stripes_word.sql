-- internal: called by our functions, not by farebox_app.
--
-- stripes_word: what of a subscription's row Stripe decides.
--
-- Promises  Equal for two rows that Stripe would describe alike.
-- Locks     None.
-- Races     None.

create or replace function stripes_word(p_row subscriptions)
returns jsonb
language plpgsql
immutable
as $$
begin
  return to_jsonb(p_row) - array[
    'user_id', 'plan', 'plan_version', 'interval',
    'scheduled_by', 'scheduled_plan', 'scheduled_interval', 'scheduled_quantity', 'scheduled_at',
    'heard_since', 'heard_at', 'heard_rank', 'heard_event', 'updated_at',
    'price_seen', 'other_price_at'];
end
$$;
