// What administrators offer: flavors, availability zones and their profiles. There are few of each, so lists are
// filtered, sorted and cut into pages here.
import type { CatalogueKind } from '../domain/catalogue.ts';
import { catalogueNames } from '../domain/catalogue.ts';
import { apiName } from './names.ts';
import { invalidInput, paramsFrom, unwrap } from './bodies.ts';
import { ApiError, notFound } from './errors.ts';
import type { ObjectOptions } from './objects.ts';
import type { ApiPorts, ChangingMethod } from './ports.ts';
import { fieldsIn, invalidPage, type ListRequest, listRequest, onlyFields, pageLinks } from './query.ts';
import { type Answer, type ApiRequest, change, type Route } from './request.ts';

interface Offer {
  readonly kind: CatalogueKind;
  readonly path: string;
  readonly singular: string;
  readonly plural: string;
  /** How Octavia calls the request's body in messages. */
  readonly argument: string;
  /** What one is known by. */
  readonly key: 'id' | 'name';
  /** Users choose from it; of the others only administrators know. */
  readonly isPublic: boolean;
}

const offers: readonly Offer[] = [
  {
    kind: 'flavor',
    path: 'flavors',
    singular: 'flavor',
    plural: 'flavors',
    argument: 'flavor_.flavor',
    key: 'id',
    isPublic: true,
  },
  {
    kind: 'flavorProfile',
    path: 'flavorprofiles',
    singular: 'flavorprofile',
    plural: 'flavorprofiles',
    argument: 'flavor_profile_.flavorprofile',
    key: 'id',
    isPublic: false,
  },
  {
    kind: 'availabilityZone',
    path: 'availabilityzones',
    singular: 'availability_zone',
    plural: 'availability_zones',
    argument: 'availability_zone_.availability_zone',
    key: 'name',
    isPublic: true,
  },
  {
    kind: 'availabilityZoneProfile',
    path: 'availabilityzoneprofiles',
    singular: 'availability_zone_profile',
    plural: 'availability_zone_profiles',
    argument: 'availability_zone_profile_.availability_zone_profile',
    key: 'id',
    isPublic: false,
  },
];

export function catalogueRoutes(ports: ApiPorts, options: ObjectOptions): readonly Route[] {
  return offers.flatMap((offer) => {
    const calls = new OfferCalls(offer, ports, options);
    const list = `/v2/lbaas/${offer.path}`;
    const one = `${list}/:key`;
    const reads = offer.isPublic ? 'read' : 'admin';
    const what = catalogueNames[offer.kind].toLowerCase();
    return [
      { method: 'POST', path: list, access: 'admin', summary: `Makes a ${what}.`, handle: (r) => calls.create(r) },
      { method: 'GET', path: list, access: reads, summary: `Lists each ${what}.`, handle: (r) => calls.list(r) },
      { method: 'GET', path: one, access: reads, summary: `Shows a ${what}.`, handle: (r) => calls.show(r) },
      { method: 'PUT', path: one, access: 'admin', summary: `Changes a ${what}.`, handle: (r) => calls.update(r) },
      { method: 'DELETE', path: one, access: 'admin', summary: `Deletes a ${what}.`, handle: (r) => calls.remove(r) },
    ] as const satisfies readonly Route[];
  });
}

type Item = Readonly<Record<string, unknown>>;

class OfferCalls {
  readonly #offer: Offer;
  readonly #ports: ApiPorts;
  readonly #options: ObjectOptions;

  constructor(offer: Offer, ports: ApiPorts, options: ObjectOptions) {
    this.#offer = offer;
    this.#ports = ports;
    this.#options = options;
  }

  async create(request: ApiRequest): Promise<Answer> {
    const method = this.#method('create');
    const params = paramsFrom(method, this.#offer, unwrap(request.body, this.#offer), true);
    return this.#enveloped(201, await change(this.#ports, method, params, request));
  }

  async update(request: ApiRequest): Promise<Answer> {
    const { key } = this.#offer;
    const method = this.#method('update');
    const body = unwrap(request.body, this.#offer);
    if (Object.hasOwn(body, key)) throw invalidInput(key, body[key], 'It is set at create and cannot be changed.');
    const params = { ...paramsFrom(method, this.#offer, body, false), ...this.#keyIn(request) };
    return this.#enveloped(200, await change(this.#ports, method, params, request));
  }

  async remove(request: ApiRequest): Promise<Answer> {
    await change(this.#ports, this.#method('delete'), this.#keyIn(request), request);
    return { status: 204 };
  }

  async show(request: ApiRequest): Promise<Answer> {
    const { kind, singular } = this.#offer;
    const key = this.#keyOf(request);
    const object = await this.#ports.reads.findOffer(kind, key);
    if (object === undefined) throw notFound(catalogueNames[kind], key);
    return { status: 200, body: { [singular]: onlyFields(answerOf(object), fieldsIn(request.query)) } };
  }

  async list({ query: params, base, path }: ApiRequest): Promise<Answer> {
    const { kind, plural, key } = this.#offer;
    const all = (await this.#ports.reads.listOffers(kind)).map(answerOf);
    const columns = new Set(columnsOf[kind]);
    const asked = listRequest({ columns, params, scope: null, mostPerPage: this.#options.mostPerPage });
    const page = pageOf(all, asked, key);
    const ids = page.map((item) => String(item[key]));
    const links = pageLinks(base + path, params, asked, ids);
    const items = page.map((item) => onlyFields(item, asked.fields));
    return { status: 200, body: { [plural]: items, [`${plural}_links`]: links } };
  }

  #method(what: 'create' | 'update' | 'delete'): ChangingMethod {
    return `${this.#offer.kind}.${what}`;
  }

  #keyIn(request: ApiRequest): Item {
    return { [this.#offer.key]: this.#keyOf(request) };
  }

  /** @throws ApiError for what no row can have: PostgreSQL has no NUL in texts */
  #keyOf({ params: { key = '' } }: ApiRequest): string {
    if (key.includes('\0')) throw notFound(catalogueNames[this.#offer.kind], key);
    return key;
  }

  #enveloped(status: number, made: unknown): Answer {
    const { kind, singular } = this.#offer;
    const object = (made as Item)[kind];
    if (typeof object !== 'object' || object === null) {
      throw new ApiError(404, 'It was made by an earlier request with the same Idempotency-Key, and deleted since.');
    }
    return { status, body: { [singular]: answerOf(object) } };
  }
}

const columnsOf: Readonly<Record<CatalogueKind, readonly string[]>> = {
  flavor: ['id', 'name', 'description', 'enabled', 'flavor_profile_id'],
  flavorProfile: ['id', 'name', 'provider_name', 'flavor_data'],
  availabilityZone: ['name', 'description', 'enabled', 'availability_zone_profile_id'],
  availabilityZoneProfile: ['id', 'name', 'provider_name', 'availability_zone_data'],
};

function answerOf(object: object): Item {
  return Object.fromEntries(Object.entries(object).map(([name, value]: [string, unknown]) => [apiName(name), value]));
}

/** What they are known by decides between equals, as in Octavia, which keeps no time of creation of them. @throws ApiError 400 for a marker that is not there */
function pageOf(all: readonly Item[], { query, marker }: ListRequest, key: string): readonly Item[] {
  const { filters, sort, limit, isReverse } = query;
  const wanted = all.filter((item) => filters.every(({ column, value }) => isSame(item[column], value)));
  const sorted = wanted.toSorted((a, b) => {
    for (const { column, isDescending } of [...sort, { column: key, isDescending: false }]) {
      const [x, y] = [String(a[column]), String(b[column])];
      if (x !== y) return x < y === isDescending ? 1 : -1;
    }
    return 0;
  });
  if (marker === null) return isReverse ? sorted.slice(-limit) : sorted.slice(0, limit);
  const at = sorted.findIndex((item) => item[key] === marker);
  if (at === -1) throw invalidPage('pagination marker', marker);
  return isReverse ? sorted.slice(Math.max(0, at - limit), at) : sorted.slice(at + 1, at + 1 + limit);
}

function isSame(value: unknown, asked: string): boolean {
  return typeof value === 'boolean' ? String(value) === asked.toLowerCase() : String(value) === asked;
}
