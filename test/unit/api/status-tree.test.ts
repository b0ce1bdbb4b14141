import { expect, test } from '@jest/globals';
import { callerWith } from '../../../src/api/access.ts';
import { loadBalancerRoutes } from '../../../src/api/load-balancers.ts';
import type { ApiPorts } from '../../../src/api/ports.ts';
import type { ApiRequest } from '../../../src/api/request.ts';

const id = 'b0000000-0000-4000-8000-000000000001';

test('statuses of a load balancer that goes while they are asked for are not found', async () => {
  const place = { loadBalancerId: id, projectId: 'one', provisioningStatus: 'PENDING_DELETE' };
  const reads = { placeOf: async () => place, statusTree: async () => undefined };
  const options = { changes: 'queue', foreign: 'hidden', mostPerPage: 10 } as const;
  const routes = loadBalancerRoutes({ reads } as unknown as ApiPorts, options);
  const route = routes.find(({ path }) => path.endsWith('/statuses'));
  const request = { params: { id }, caller: callerWith('ann', 'one', ['member']) } as unknown as ApiRequest;
  await expect(route?.handle(request)).rejects.toMatchObject({
    status: 404,
    message: `Load Balancer ${id} not found.`,
  });
});
