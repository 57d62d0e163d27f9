-- period_at: the period that runs at `p_now`, for what starts again by the rule `p_reset`.
--
-- Promises  `month` and `day` are UTC's. `billing_period` counts months from the anchor, never from the
--           month before: one anchored on the 31st ends on the last day of each shorter month, and on
--           the 31st again. Without an anchor its months are the calendar's; a trial, which comes before the
--           anchor, is one period, however long. `never` began in 1970 and
--           has no end. A period holds its start and not its end.

create or replace function period_at(
  p_reset       text,
  p_anchor      timestamptz,
  p_now         timestamptz,
  p_trial_start timestamptz default null,
  out starts_at timestamptz,
  out ends_at   timestamptz
)
language plpgsql
immutable
as $$
declare
  v_anchor timestamp := coalesce(p_anchor, date_trunc('month', p_now, 'UTC')) at time zone 'UTC';
  v_now    timestamp := p_now at time zone 'UTC';
  v_months integer;
begin
  case p_reset
    when 'month' then
      starts_at := date_trunc('month', v_now) at time zone 'UTC';
      ends_at := (date_trunc('month', v_now) + interval '1 month') at time zone 'UTC';
    when 'day' then
      starts_at := date_trunc('day', v_now) at time zone 'UTC';
      ends_at := (date_trunc('day', v_now) + interval '1 day') at time zone 'UTC';
    when 'billing_period' then
      if p_now >= p_trial_start and p_now < p_anchor then
        starts_at := p_trial_start;
        ends_at := p_anchor;
        return;
      end if;
      v_months := (extract(year from v_now) - extract(year from v_anchor)) * 12
        + extract(month from v_now) - extract(month from v_anchor);
      if v_anchor + make_interval(months => v_months) > v_now then
        v_months := v_months - 1;
      end if;
      starts_at := (v_anchor + make_interval(months => v_months)) at time zone 'UTC';
      ends_at := (v_anchor + make_interval(months => v_months + 1)) at time zone 'UTC';
    when 'never' then
      starts_at := to_timestamp(0);
    else
      -- Nothing that is counted.
  end case;
end
$$;
