-- refuse_input: refuses (FB005) a request of which a value is invalid.
--
-- Takes     The reason, from which Rust tells the field, and as an object what its message has to know.
-- Promises  Never returns: as refuse, with {"code": "invalid_input", "reason", ...}.

create or replace function refuse_input(p_reason text, p_details jsonb default '{}')
returns void
language plpgsql
as $$
begin
  perform refuse('invalid_input', jsonb_build_object('reason', p_reason) || p_details);
end
$$;
