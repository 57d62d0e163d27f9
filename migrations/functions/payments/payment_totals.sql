-- payment_totals: Returns a payment's status, its amount, and what of it is refunded or disputed.
--
-- Promises  `refunded_minor` is the greatest refunded amount that Stripe reported for the charge, less failed
--           and canceled refunds. It is at least the sum of the other known refunds. `disputed_minor` is the
--           sum of open and lost disputes; a dispute in another currency counts as at least the whole
--           payment. Event order does not matter.
-- Races     A caller that changes a payment holds its row.

create or replace function payment_totals(p_payment payments)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object(
      'status', p_payment.status,
      'amount_minor', p_payment.amount_minor,
      'refunded_minor', (
        select greatest(
          greatest(p_payment.refunded_minor, 0)
            - coalesce(sum(amount_minor) filter (where status in ('failed', 'canceled')), 0),
          coalesce(sum(amount_minor) filter (where status not in ('failed', 'canceled')), 0))::bigint
        from refunds
        where payment_id = p_payment.id),
      'disputed_minor', (
        select coalesce(sum(
          case
            when currency <> p_payment.currency
            then greatest(amount_minor, p_payment.amount_minor)
            else amount_minor
          end), 0)::bigint
        from disputes
        where payment_id = p_payment.id
          and status in ('needs_response', 'under_review', 'lost'))));
end
$$;
