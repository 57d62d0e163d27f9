-- internal: called by our functions, not by farebox_app.
--
-- notice_credits: has a user told that their credits come to an end.
--
-- Promises  When a spend leaves a fifth or less of what there was after credits last came in, and when it
--           leaves none, once each.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function notice_credits(
  p_spend     credit_transactions,
  p_topped_up bigint,
  p_now       timestamptz
)
returns void
language plpgsql
as $$
declare
  v_before  bigint := p_spend.balance_after - p_spend.delta;
  v_percent integer := case
    when p_spend.balance_after = 0 then 100
    when p_spend.balance_after * 5 <= p_topped_up and v_before * 5 > p_topped_up then 80
  end;
begin
  if v_percent is null then
    return;
  end if;

  perform enqueue_email(
    p_spend.user_id,
    'credits_used',
    -- One a percent and row of the ledger, whose number outlives nobody's name.
    format('%s:%s', p_spend.id, v_percent),
    jsonb_build_object(
      'unit', p_spend.unit,
      'feature_name', coalesce(
        (
          select feature.value ->> 'name'
          from jsonb_each(catalog_features()) feature
          where feature.value ->> 'type' = 'credits'
            and feature.value ->> 'unit' = p_spend.unit
        ),
        p_spend.unit),
      'percent', v_percent,
      'balance', p_spend.balance_after),
    p_now,
    false,
    p_now);
end
$$;
