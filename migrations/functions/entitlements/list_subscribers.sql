-- list_subscribers: a page of those who have a plan beside the one of those who pay nothing.
--
-- Promises  In the order of their ids, behind `p_after`; each with the entitlement to be shown.

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
