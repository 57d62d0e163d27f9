-- refuse: refuses a request, and undoes whatever this call has done so far.
--
-- Takes     The code of the problem that the API answers, and as an object what its message has to know.
--           Neither may say anything personal: messages reach logs. Codes and names are literals, which
--           a test compares with those that Rust knows.
-- Promises  Never returns. The message is JSON: {"code", ...}. The SQLSTATE is FB001 if the user was
--           erased, FB002 if the idempotency key came with another request, FB003 while another request
--           of the user is under way, FB008 if there is not enough left, FB005 for everything else.

create or replace function refuse(p_code text, p_details jsonb default '{}')
returns void
language plpgsql
as $$
begin
  raise exception using
    errcode = case p_code
      when 'account_erased' then 'FB001'
      when 'idempotency_key_reused' then 'FB002'
      when 'request_under_way' then 'FB003'
      when 'insufficient_credits' then 'FB008'
      when 'quota_exceeded' then 'FB008'
      else 'FB005'
    end,
    message = jsonb_build_object('code', p_code) || p_details;
end
$$;
