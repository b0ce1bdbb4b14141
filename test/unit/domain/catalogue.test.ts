import { describe, expect, test } from '@jest/globals';
import { plainInstance } from '../../../src/domain/amphora/kind.ts';
import { capabilities, problemWithData, wishOf } from '../../../src/domain/catalogue.ts';

const everything = [
  'computeFlavor',
  'imageTag',
  'computeZone',
  'volumeZone',
  'managementNetwork',
  'sriovPorts',
  'sharedAmphorae',
  'antiAffinity',
] as const;

describe('a profile', () => {
  test.each([
    ['flavorProfile', { loadbalancer_topology: 'ACTIVE_STANDBY', compute_flavor: 'large', amp_image_tag: 'v2' }],
    ['flavorProfile', { sriov_vip: true, allow_member_sriov: false }],
    ['flavorProfile', { loadbalancers_per_amphora: 8, loadbalancer_topology: 'SINGLE' }],
    ['flavorProfile', { loadbalancer_topology: 'ACTIVE_STANDBY', anti_affinity: 'hard' }],
    ['flavorProfile', { loadbalancers_per_amphora: 1, loadbalancer_topology: 'ACTIVE_STANDBY' }],
    ['availabilityZoneProfile', { compute_zone: 'az1', volume_zone: 'az1', management_network: 'net' }],
    ['availabilityZoneProfile', { valid_vip_networks: ['net-1', 'net-2'] }],
  ] as const)('of the kind %s may say %j where drivers offer it', (kind, data) => {
    expect(problemWithData(kind, JSON.stringify(data), everything)).toBeUndefined();
  });

  test.each([
    ['flavorProfile', { anti_affinity: 'soft' }, 'the compute driver does not know anti_affinity'],
    ['flavorProfile', { compute_flavor: 'large' }, 'the compute driver does not know compute_flavor'],
    ['flavorProfile', { sriov_vip: false }, 'the network driver does not know sriov_vip'],
    ['flavorProfile', { allow_member_sriov: true }, 'the network driver does not know allow_member_sriov'],
    ['flavorProfile', { loadbalancers_per_amphora: 2 }, 'the compute driver does not know loadbalancers_per_amphora'],
    ['availabilityZoneProfile', { compute_zone: 'az1' }, 'the compute driver does not know compute_zone'],
  ] as const)('of the kind %s may not say %j where drivers do not offer it', (kind, data, problem) => {
    expect(problemWithData(kind, JSON.stringify(data), [])).toBe(problem);
    expect(capabilities(kind, []).map(({ name }) => name)).not.toContain(Object.keys(data)[0]);
  });

  test.each([
    ['flavorProfile', { anti_affinity: 'yes' }, 'anti_affinity: expected off or soft or hard, given "yes"'],
    ['flavorProfile', { sriov_vip: 'yes' }, 'sriov_vip: expected true or false, given "yes"'],
    ['flavorProfile', { compute_flavor: 7 }, 'compute_flavor: expected a text of 1 to 255 characters, given 7'],
    ...[0, 101, 2.5, '2', null].map(
      (given) =>
        [
          'flavorProfile',
          { loadbalancers_per_amphora: given },
          `loadbalancers_per_amphora: expected a whole number from 1 to 100, given ${JSON.stringify(given)}`,
        ] as const,
    ),
    [
      'flavorProfile',
      { loadbalancers_per_amphora: 2, loadbalancer_topology: 'ACTIVE_STANDBY' },
      'loadbalancers_per_amphora: expected 1 with the loadbalancer_topology ACTIVE_STANDBY, which shares no amphorae',
    ],
    [
      'availabilityZoneProfile',
      { valid_vip_networks: 'net' },
      'valid_vip_networks: expected a list of texts of 1 to 255 characters, given "net"',
    ],
  ] as const)('of the kind %s is refused by name when it says %j', (kind, data, problem) => {
    expect(problemWithData(kind, JSON.stringify(data), everything)).toBe(problem);
  });

  test('leaves open what it does not say', () => {
    expect(wishOf()).toEqual({
      topology: undefined,
      instances: plainInstance,
      hasSriovVip: false,
      allowsMemberSriov: false,
      perAmphora: 1,
      antiAffinity: undefined,
      validVipNetworks: undefined,
    });
    expect(wishOf('{"sriov_vip":true}')).toMatchObject({ hasSriovVip: true, allowsMemberSriov: false });
    expect(wishOf('{"loadbalancers_per_amphora":4}')).toMatchObject({ topology: 'SINGLE', perAmphora: 4 });
    expect(wishOf('{"compute_flavor":"large"}', '{"compute_zone":"az1"}').instances).toEqual({
      ...plainInstance,
      computeFlavor: 'large',
      computeZone: 'az1',
    });
  });
});
