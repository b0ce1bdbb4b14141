-- Monitors, L7 policies and rules were OFFLINE with their listener; now they are ONLINE when amphorae have them. Load balancers of
-- which nothing new is heard would show the former for ever: without a row they show what they are. To nodes of the version
-- before, no row is OFFLINE too. Rows that are being written are left, so that nobody waits for another.
delete from "operating_statuses" where "object_id" in (
  select s."object_id" from "operating_statuses" s
  where s."status" = 'OFFLINE' and (
    exists (select from "health_monitors" o where o."id" = s."object_id")
    or exists (select from "l7_rules" o where o."id" = s."object_id")
    or exists (select from "l7_policies" o where o."id" = s."object_id" and not exists (
      select from "l7_rules" r where r."l7_policy_id" = o."id" and r."provisioning_status" = 'ERROR')))
  for update of s skip locked);
