-- claim_stripe_request: finds the request that an idempotency key belongs to, and keeps two changes of
-- one user from being asked of Stripe at once.
--
-- Promises  Answers the row of the key: with its answer, or claimed for this caller to go on with.
--           Without such a row it answers null, and nothing of the user's is under way. A key that
--           came with another request, another user's among them, is refused with FB002; while somebody else is at it, FB003. What
--           was given up, without a key to come back to it, is left to the caller as it is.
-- Locks     The caller holds the account's row.

create or replace function claim_stripe_request(
  p_user_id         text,
  p_kind            text,
  p_idempotency_key text,
  p_fingerprint     text,
  p_now             timestamptz
)
returns stripe_requests
language plpgsql
as $$
declare
  v_request stripe_requests;
begin
  delete from stripe_requests
  where user_id = p_user_id
    and created_at < p_now - interval '24 hours'
    and (answered_at is not null or leased_until is null or leased_until <= p_now);

  select *
  into v_request
  from stripe_requests
  where idempotency_key = p_idempotency_key;

  if v_request.id is not null
     and (v_request.fingerprint, v_request.user_id, v_request.kind)
       is distinct from (p_fingerprint, p_user_id, p_kind)
  then
    perform refuse('idempotency_key_reused');
  end if;

  if v_request.answered_at is not null then
    return v_request;
  end if;

  if exists (
    select 1
    from stripe_requests
    where user_id = p_user_id
      and answered_at is null
      and leased_until > p_now
      and (id = v_request.id or kind <> 'portal' and p_kind <> 'portal')
  ) then
    perform refuse('request_under_way');
  end if;

  if v_request.id is not null then
    update stripe_requests
    set leased_until = p_now + stripe_lease()
    where id = v_request.id
    returning * into v_request;
  end if;

  return v_request;
end
$$;
