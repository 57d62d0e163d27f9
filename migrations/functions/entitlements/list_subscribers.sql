-- list_subscribers: Returns a page of the users who have another plan than the default plan.
--
-- Promises  Ordered by id, after `p_after`. Each has the entitlement_view to push.

create or replace function list_subscribers(p_after text, p_limit page_size, p_now call_time)
returns setof jsonb
language plpgsql
stable
security definer
set search_path from current
as $$
begin
  perform require_service();

  return query
  select entitlement_view(page.user_id, p_now)
  from (
    select user_id
    from entitlements
    where user_id > p_after
      and source <> 'default'
    order by user_id
    limit p_limit
  ) page;
end
$$;
