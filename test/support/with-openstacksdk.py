# What a program on openstacksdk does with a load balancer. Arguments: endpoint, id of a subnet. Prints JSON.
import json
import sys
import time

import openstack

endpoint, subnet = sys.argv[1:]
connection = openstack.connect(auth_type="none", auth={"endpoint": endpoint})
api = connection.load_balancer


def active(balancer):
    return api.wait_for_load_balancer(balancer.id, interval=0.2, wait=30)


balancer = active(api.create_load_balancer(name="sdk", vip_subnet_id=subnet, tags=["sdk"]))
listener = api.create_listener(name="sdk-l", load_balancer_id=balancer.id, protocol="HTTP", protocol_port=80)
pool = api.create_pool(name="sdk-p", listener_id=listener.id, protocol="HTTP", lb_algorithm="ROUND_ROBIN")
member = api.create_member(pool.id, name="sdk-m", address="10.0.0.1", protocol_port=80)
monitor = api.create_health_monitor(name="sdk-h", pool_id=pool.id, type="HTTP", delay=5, timeout=3, max_retries=2)
api.update_member(member, pool, weight=3)
api.update_listener(listener, connection_limit=7)
api.update_health_monitor(monitor, url_path="/up")
inner = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": [{"address": "10.0.0.2", "protocol_port": 80}]}
rule = {"type": "PATH", "compare_type": "STARTS_WITH", "value": "/api"}
policy = {"action": "REDIRECT_TO_POOL", "redirect_pool": inner, "rules": [rule]}
whole = api.create_listener(
    load_balancer_id=balancer.id, protocol="HTTP", protocol_port=81, default_pool=inner, l7_policies=[policy]
)
active(balancer)
result = {
    "status": api.get_load_balancer(balancer.id).provisioning_status,
    "found": api.find_load_balancer("sdk").id == balancer.id,
    "tagged": [found.name for found in api.load_balancers(tags=["sdk"])],
    "weights": [found.weight for found in api.members(pool)],
    "limit": api.find_listener("sdk-l").connection_limit,
    "path": api.get_health_monitor(monitor.id).url_path,
    "bytes": api.get_load_balancer_statistics(balancer.id).bytes_in,
    "providers": [provider.name for provider in api.providers()],
    "whole": [
        len(list(api.members(whole.default_pool_id))),
        len(list(api.members(api.get_l7_policy(whole.l7_policies[0]["id"]).redirect_pool_id))),
    ],
    "amphorae": len([amphora for amphora in api.amphorae() if amphora.loadbalancer_id == balancer.id]),
}
api.failover_load_balancer(balancer.id)
active(balancer)
api.delete_member(member, pool)
api.delete_health_monitor(monitor)
api.delete_pool(pool)
api.delete_load_balancer(balancer, cascade=True)
deadline = time.time() + 30
while api.find_load_balancer("sdk") is not None and time.time() < deadline:
    time.sleep(0.2)
result["gone"] = api.find_load_balancer("sdk") is None
print(json.dumps(result))
