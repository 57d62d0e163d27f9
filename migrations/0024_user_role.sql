-- A role for those who read under one user's identity.
--
-- `farebox_app` is the service: without an identity it reads every row. A member of `farebox_user` reads
-- the rows of the user that `farebox.user_id` names, and without an identity none. It reads what is sold
-- as well, and calls nothing that writes.

do $$
begin
  -- Roles belong to the whole cluster: another database, or a run beside this one, made it.
  if not exists (select from pg_roles where rolname = 'farebox_user') then
    create role farebox_user nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;
end
$$;

do $$
declare
  v_policy record;
begin
  for v_policy in
    select p.polname, p.polrelid::regclass as relation,
           case c.relname when 'users' then 'id' else 'user_id' end as owner
    from pg_policy p
    join pg_class c on c.oid = p.polrelid
    join pg_class own on own.oid = 'farebox_migrations'::regclass
    where c.relnamespace = own.relnamespace
      and c.oid <> own.oid
      and p.polname in ('own_row', 'own_rows', 'all_rows')
  loop
    if v_policy.polname = 'all_rows' then
      execute format('alter policy all_rows on %s to farebox_app, farebox_user', v_policy.relation);
    else
      execute format(
        'create policy rows_of_identity on %s
           for select to farebox_user
           using (%I = nullif(current_setting(''farebox.user_id'', true), ''''))',
        v_policy.relation, v_policy.owner);
    end if;
  end loop;
end
$$;
