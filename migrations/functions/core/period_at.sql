-- period_at: Computes the period that contains `p_now`, by the reset rule `p_reset`.
--
-- Promises  A period includes its start and excludes its end. `day` and `month` are days and months in UTC.
--           `billing_period` counts months from the anchor, not from the previous period: with an anchor on
--           the 31st, a period ends on the last day of each shorter month and on the 31st of the others.
--           Without an anchor, billing periods are calendar months. A trial, which ends at the anchor, is one
--           period of any length. `never` starts in 1970 and has no end. Any other rule gives nulls.

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
      -- The feature has no periods.
  end case;
end
$$;
