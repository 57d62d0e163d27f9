-- payment_totals: what is known of a payment's money.
--
-- Promises  `refunded_minor` is what has been given back: the most a charge was said to have been
--           refunded, without what failed after all, and no less than the refunds that are known one by
--           one. `disputed_minor` is what is, or stays, withheld; of a dispute in another currency the
--           whole payment. Neither depends on the order in which refunds and disputes were heard of.
-- Races     Who changes a payment holds its row.

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
